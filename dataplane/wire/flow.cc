// SPDX-License-Identifier: Apache-2.0
#include "dataplane/wire/flow.h"

#include "dataplane/wire/header.h"
#include "dataplane/wire/outer_packet.h"

namespace magnetar::wire {
namespace {

constexpr unsigned kTcp = 6;
constexpr unsigned kUdp = 17;
constexpr std::size_t kPorts = 4;            // bytes of both
constexpr std::size_t kIndexOffset = 4;      // in the Nebula header
constexpr std::uint16_t kFragment = 0x3fff;  // more fragments, or an offset

std::uint64_t word(const std::byte* at) {
  return load_be<std::uint32_t>(std::span<const std::byte, 4>(at, 4));
}

// Multiply and fold: enough to deal out flows, no defence against whoever chooses them.
void mix(std::uint64_t& hash, std::uint64_t more) {
  hash = (hash ^ more) * 0x9e3779b97f4a7c15U;
  hash ^= hash >> 32U;
}

bool has_ports(std::byte protocol) {
  const auto number = std::to_integer<unsigned>(protocol);
  return number == kTcp || number == kUdp;
}

}  // namespace

std::uint32_t outside_flow(ByteView frame) {
  OuterView outer;
  if (parse_outer(frame, outer) != Verdict::kForward) return 0;
  if (outer.payload_length < Header::kSize) return 0;
  return static_cast<std::uint32_t>(word(&frame[outer.payload_offset + kIndexOffset]));
}

std::uint32_t inner_flow(ByteView packet) {
  if (packet.empty()) return 0;
  const unsigned version = std::to_integer<unsigned>(packet[0]) >> 4U;
  const std::size_t fixed = version == 4 ? kIpv4Size : kIpv6Size;
  if ((version != 4 && version != 6) || packet.size() < fixed) return 0;
  const std::size_t first = version == 4 ? 12 : 8;
  std::uint64_t hash = version;
  for (std::size_t at = first; at < fixed; at += 4) mix(hash, word(&packet[at]));

  const std::byte protocol = packet[version == 4 ? 9 : 6];
  mix(hash, std::to_integer<std::uint64_t>(protocol));
  const bool fragment = version == 4 && (word(&packet[4]) & kFragment) != 0;
  const std::size_t ports =
      version == 4 ? (std::to_integer<std::size_t>(packet[0]) & 0xfU) * 4 : fixed;
  if (has_ports(protocol) && !fragment && packet.size() >= ports + kPorts)
    mix(hash, word(&packet[ports]));
  return static_cast<std::uint32_t>(hash);
}

}  // namespace magnetar::wire
