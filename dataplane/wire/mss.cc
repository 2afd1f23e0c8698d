// SPDX-License-Identifier: Apache-2.0
#include "dataplane/wire/mss.h"

#include "dataplane/offload/headers.h"

namespace magnetar::wire {
namespace {

namespace ipv4 = offload::ipv4;
namespace ipv6 = offload::ipv6;
namespace tcp = offload::tcp;

constexpr std::uint8_t kEndOfOptions = 0;
constexpr std::uint8_t kPadding = 1;
constexpr std::uint8_t kMss = 2;
constexpr std::size_t kMssSize = 4;

// The TCP header with its options, and how much of the path's MTU the headers take: IP and TCP
// without options. Empty: not the beginning of a connection.
struct Syn {
  MutableBytes header;
  std::size_t around = 0;
};

Syn find_syn(MutableBytes packet) {
  if (packet.size() < ipv4::kSize) return {};
  const std::byte* const ip = packet.data();
  const bool v4 = byte_at(ip, 0) >> 4U == 4;
  std::size_t at = ipv6::kSize;
  if (v4) {
    at = (byte_at(ip, 0) & 0xfU) * std::size_t{4};
    constexpr std::uint16_t kOffset = 0x1fff;
    if (at < ipv4::kSize || byte_at(ip, ipv4::kProtocol) != offload::kProtocolTcp ||
        (load_be_at<std::uint16_t>(ip + ipv4::kFragment) & kOffset) != 0)
      return {};
  } else if (byte_at(ip, 0) >> 4U != 6 || byte_at(ip, ipv6::kNextHeader) != offload::kProtocolTcp) {
    return {};
  }
  if (packet.size() < at + tcp::kSize || (byte_at(ip, at + tcp::kFlags) & tcp::kSyn) == 0)
    return {};
  const std::size_t size = (byte_at(ip, at + tcp::kDataOffset) >> 4U) * std::size_t{4};
  if (size < tcp::kSize || packet.size() - at < size) return {};
  return {packet.subspan(at, size), (v4 ? ipv4::kSize : ipv6::kSize) + tcp::kSize};
}

// Replaces the number at `at`, and in the checksum with it. One that is not at an even place
// counts there with its bytes the other way round.
void replace(MutableBytes header, std::size_t at, std::uint16_t value) {
  const auto counted = [at](std::uint16_t number) -> std::uint32_t {
    return at % 2 == 0 ? number : static_cast<std::uint16_t>(number << 8U | number >> 8U);
  };
  const auto before = load_be_at<std::uint16_t>(&header[at]);
  const auto checksum = load_be_at<std::uint16_t>(&header[tcp::kChecksum]);
  std::uint32_t sum = (~checksum & 0xffffU) + (~counted(before) & 0xffffU) + counted(value);
  sum = (sum & 0xffffU) + (sum >> 16U);
  sum = (sum & 0xffffU) + (sum >> 16U);
  store_be_at(&header[at], value);
  store_be_at(&header[tcp::kChecksum], static_cast<std::uint16_t>(~sum));
}

}  // namespace

bool clamp_mss(MutableBytes packet, std::size_t mtu) {
  const auto [header, around] = find_syn(packet);
  if (header.empty() || mtu <= around) return false;
  const std::size_t most = mtu - around;
  bool changed = false;
  for (std::size_t at = tcp::kSize; at < header.size();) {
    const std::uint8_t kind = byte_at(header.data(), at);
    if (kind == kEndOfOptions) break;
    if (kind == kPadding) {
      ++at;
      continue;
    }
    if (header.size() - at < 2) break;
    const std::size_t size = byte_at(header.data(), at + 1);
    if (size < 2 || size > header.size() - at) break;
    if (kind == kMss && size == kMssSize && load_be_at<std::uint16_t>(&header[at + 2]) > most) {
      replace(header, at + 2, static_cast<std::uint16_t>(most));
      changed = true;
    }
    at += size;
  }
  return changed;
}

}  // namespace magnetar::wire
