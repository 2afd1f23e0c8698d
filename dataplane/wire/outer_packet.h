// SPDX-License-Identifier: Apache-2.0
// Ethernet, IP and UDP towards a peer, as bytes:
//
//   | Ethernet 14 | IPv4 20 or IPv6 40 | UDP 8 | Nebula packet ... |
//
// Sent: a template per peer that is copied and patched. Received: checked once, then offsets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/base/addr.h"
#include "dataplane/base/bytes.h"
#include "dataplane/packet/verdict.h"

namespace magnetar::wire {

inline constexpr std::size_t kEthernetSize = 14;
inline constexpr std::size_t kIpv4Size = 20;
inline constexpr std::size_t kIpv6Size = 40;
inline constexpr std::size_t kUdpSize = 8;

// A 64-bit name of an underlay address: exact for IPv4, a mix for IPv6.
[[nodiscard]] std::uint64_t underlay_key(const UnderlayAddr& addr);

// Where the parts of a received frame are.
struct OuterView {
  const std::byte* source_ip = nullptr;       // 4 or 16 bytes
  const std::byte* destination_ip = nullptr;  // 4 or 16 bytes
  std::uint16_t payload_offset = 0;           // of the UDP payload, from the start of the frame
  std::uint16_t payload_length = 0;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  bool v4 = true;

  [[nodiscard]] IpAddr source() const { return address(source_ip); }
  [[nodiscard]] IpAddr destination() const { return address(destination_ip); }
  [[nodiscard]] std::uint64_t source_key() const;

 private:
  [[nodiscard]] IpAddr address(const std::byte* at) const {
    return v4 ? IpAddr::v4(std::span<const std::byte, 4>(at, 4))
              : IpAddr::v6(std::span<const std::byte, 16>(at, 16));
  }
};

// kForward: `view` is filled. kNotOurs: not UDP over IP. kMalformedOuter: it claims to be, but is
// cut short, fragmented or inconsistent. Checksums are not looked at: the tag is the judge, and
// frames from a local kernel carry unfinished ones.
[[nodiscard]] Verdict parse_outer(ByteView frame, OuterView& view);

// How a peer is reached, for the template.
struct OuterPath {
  MacAddr source_mac{};
  MacAddr next_mac{};
  UnderlayAddr source;
  UnderlayAddr destination;  // of the same family as `source`
};

// The whole outer header of a peer. Immutable once made.
class OuterTemplate {
 public:
  OuterTemplate() = default;
  explicit OuterTemplate(const OuterPath& path);
  [[nodiscard]] std::size_t size() const { return size_; }  // 42 or 62 bytes

  // Writes size() bytes so that they end at `payload`, which holds `payload_length` bytes of UDP
  // payload in final form (IPv6 needs its checksum). Returns the start of the frame.
  std::byte* write_before(std::byte* payload, std::size_t payload_length) const;

  friend bool operator==(const OuterTemplate&, const OuterTemplate&) = default;

 private:
  void write_v4(std::byte* frame, std::size_t payload_length) const;
  void write_v6(std::byte* frame, const std::byte* payload, std::size_t payload_length) const;

  alignas(64) std::array<std::byte, 64> bytes_{};
  std::uint32_t partial_sum_ = 0;  // IPv4 header, or IPv6 pseudo-header and UDP, without lengths
  std::uint8_t size_ = 0;
};

}  // namespace magnetar::wire
