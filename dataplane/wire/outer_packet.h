// SPDX-License-Identifier: Apache-2.0
// Ethernet, IP and UDP towards a peer, as bytes:
//
//   | Ethernet 14 | IPv4 20 or IPv6 40 | UDP 8 | Nebula packet ... |
//
// Sent: a template per peer that is copied and patched. Received: checked once, then offsets.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dataplane/base/addr.h"
#include "dataplane/base/bytes.h"
#include "dataplane/packet/verdict.h"

namespace magnetar::wire {

inline constexpr std::size_t kEthernetSize = 14;
inline constexpr std::size_t kIpv4Size = 20;
inline constexpr std::size_t kIpv6Size = 40;
inline constexpr std::size_t kUdpSize = 8;

// Of an outer IP packet, what stands before the Nebula header.
[[nodiscard]] constexpr std::size_t outer_overhead(bool v4) {
  return (v4 ? kIpv4Size : kIpv6Size) + kUdpSize;
}

// A 64-bit name of an underlay address: exact for IPv4, a mix for IPv6.
[[nodiscard]] std::uint64_t underlay_key(const UnderlayAddr& addr);

namespace detail {

inline std::uint64_t mix(std::uint64_t x) {  // the finaliser of MurmurHash3
  x = (x ^ (x >> 33U)) * 0xff51afd7ed558ccdULL;
  x = (x ^ (x >> 33U)) * 0xc4ceb9fe1a85ec53ULL;
  return x ^ (x >> 33U);
}

inline std::uint64_t key_of(const std::byte* ip, bool v4, std::uint16_t port) {
  if (v4) {
    const auto addr = load_be<std::uint32_t>(std::span<const std::byte, 4>(ip, 4));
    return (std::uint64_t{addr} << 16U) | port;
  }
  const auto high = load_be<std::uint64_t>(std::span<const std::byte, 8>(ip, 8));
  const auto low = load_be<std::uint64_t>(std::span<const std::byte, 8>(ip + 8, 8));
  // The top bit keeps the two families apart.
  return (mix(high ^ mix(low ^ mix(port))) >> 1U) | (1ULL << 63U);
}

}  // namespace detail

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
  // underlay_key() of where the frame came from.
  [[nodiscard]] std::uint64_t source_key() const {
    return detail::key_of(source_ip, v4, source_port);
  }
  [[nodiscard]] std::uint64_t destination_key() const {
    return detail::key_of(destination_ip, v4, destination_port);
  }

 private:
  [[nodiscard]] IpAddr address(const std::byte* at) const {
    return v4 ? IpAddr::v4(std::span<const std::byte, 4>(at, 4))
              : IpAddr::v6(std::span<const std::byte, 16>(at, 16));
  }
};

namespace detail {

inline constexpr std::uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr std::uint16_t kEtherTypeIpv6 = 0x86dd;
inline constexpr std::byte kProtocolUdp{17};
inline constexpr std::uint16_t kMoreFragmentsOrOffset = 0x3fff;

inline Verdict parse_udp(ByteView frame, std::size_t at, std::size_t ip_payload, OuterView& view) {
  if (ip_payload < kUdpSize) return Verdict::kMalformedOuter;
  const std::size_t udp_length = load_be_at<std::uint16_t>(&frame[at + 4]);
  if (udp_length < kUdpSize || udp_length > ip_payload) return Verdict::kMalformedOuter;
  view.source_port = load_be_at<std::uint16_t>(&frame[at]);
  view.destination_port = load_be_at<std::uint16_t>(&frame[at + 2]);
  view.payload_offset = static_cast<std::uint16_t>(at + kUdpSize);
  view.payload_length = static_cast<std::uint16_t>(udp_length - kUdpSize);
  return Verdict::kForward;
}

inline Verdict parse_v4(ByteView frame, OuterView& view) {
  const ByteView ip = frame.subspan(kEthernetSize);
  if (ip.size() < kIpv4Size) return Verdict::kMalformedOuter;
  const auto first = std::to_integer<std::size_t>(ip[0]);
  const std::size_t header = (first & 0xfU) * 4;
  const std::size_t total = load_be_at<std::uint16_t>(&ip[2]);
  if (first >> 4U != 4 || header < kIpv4Size || total < header || total > ip.size())
    return Verdict::kMalformedOuter;
  if (ip[9] != kProtocolUdp) return Verdict::kNotOurs;
  if ((load_be_at<std::uint16_t>(&ip[6]) & kMoreFragmentsOrOffset) != 0)
    return Verdict::kMalformedOuter;
  view.v4 = true;
  view.source_ip = &ip[12];
  view.destination_ip = &ip[16];
  return parse_udp(frame, kEthernetSize + header, total - header, view);
}

inline Verdict parse_v6(ByteView frame, OuterView& view) {
  const ByteView ip = frame.subspan(kEthernetSize);
  if (ip.size() < kIpv6Size) return Verdict::kMalformedOuter;
  const std::size_t payload = load_be_at<std::uint16_t>(&ip[4]);
  if (std::to_integer<unsigned>(ip[0]) >> 4U != 6 || payload > ip.size() - kIpv6Size)
    return Verdict::kMalformedOuter;
  if (ip[6] != kProtocolUdp) return Verdict::kNotOurs;  // extension headers: the kernel's business
  view.v4 = false;
  view.source_ip = &ip[8];
  view.destination_ip = &ip[24];
  return parse_udp(frame, kEthernetSize + kIpv6Size, payload, view);
}

}  // namespace detail

// kForward: `view` is filled. kNotOurs: not UDP over IP. kMalformedOuter: it claims to be, but is
// cut short, fragmented or inconsistent. Checksums are not looked at: the tag is the judge, and
// frames from a local kernel carry unfinished ones.
[[nodiscard]] inline Verdict parse_outer(ByteView frame, OuterView& view) {
  if (frame.size() < kEthernetSize || frame.size() > 0xffff) return Verdict::kMalformedOuter;
  switch (load_be_at<std::uint16_t>(&frame[12])) {
    case detail::kEtherTypeIpv4:
      return detail::parse_v4(frame, view);
    case detail::kEtherTypeIpv6:
      return detail::parse_v6(frame, view);
    default:
      return Verdict::kNotOurs;
  }
}

// What nearly every frame is, told by a few comparisons of whole words: IPv4 without options or
// fragments, UDP, and a data message of Nebula that is long enough for its tag. parse_outer() and
// parse_header() say the same of such a frame, and have the last word on all others.
struct PlainFrame {
  static constexpr std::size_t kPayload = kEthernetSize + kIpv4Size + kUdpSize;

  const std::byte* source_ip;
  const std::byte* destination_ip;
  std::uint64_t source_key;  // underlay_key()
  std::uint64_t counter;
  std::uint32_t index;
  std::uint16_t payload_length;
  std::uint16_t destination_port;

  // False: another kind of frame, or none at all; nothing may be believed then.
  [[nodiscard]] bool parse(ByteView frame) {
    if (frame.size() < kPayload + 32 || frame.size() > 0xffff) return false;
    const std::byte* at = frame.data();
    const auto ether_ip = load<std::uint64_t>(at + 12);  // type, version and size, TOS, length, id
    const auto fragment = load<std::uint32_t>(at + 20);  // fragment, TTL, protocol
    const auto udp = load<std::uint64_t>(at + 34);       // ports, length, checksum
    const auto header = load<std::uint64_t>(at + kPayload);
    const std::size_t total = swap_bytes(static_cast<std::uint16_t>(ether_ip >> 32U));
    const std::size_t udp_length = swap_bytes(static_cast<std::uint16_t>(udp >> 32U));
    if ((ether_ip & 0xffffffU) != 0x450008U || (fragment & 0xff00ff3fU) != 0x11000000U ||
        (header & 0xffffU) != 0x0011U || total > frame.size() - kEthernetSize ||
        udp_length + kIpv4Size > total || udp_length < kUdpSize + 32)
      return false;
    source_ip = at + 26;
    destination_ip = at + 30;
    source_key = std::uint64_t{swap_bytes(load<std::uint32_t>(source_ip))} << 16U |
                 swap_bytes(static_cast<std::uint16_t>(udp));
    counter = swap_bytes(load<std::uint64_t>(at + kPayload + 8));
    index = swap_bytes(static_cast<std::uint32_t>(header >> 32U));
    payload_length = static_cast<std::uint16_t>(udp_length - kUdpSize);
    destination_port = swap_bytes(static_cast<std::uint16_t>(udp >> 16U));
    return true;
  }

 private:
  template <typename T>
  [[nodiscard]] static T load(const std::byte* from) {
    T value;
    std::memcpy(&value, from, sizeof(value));
    return value;
  }
};
static_assert(std::endian::native == std::endian::little);

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
  static constexpr std::size_t kMostSize = kEthernetSize + kIpv6Size + kUdpSize;

  OuterTemplate() = default;
  explicit OuterTemplate(const OuterPath& path);
  [[nodiscard]] std::size_t size() const { return size_; }  // 42 or 62 bytes

  // Writes size() bytes so that they end at `payload`, which holds `payload_length` bytes of UDP
  // payload in final form (IPv6 needs its checksum). Returns the start of the frame.
  std::byte* write_before(std::byte* payload, std::size_t payload_length) const {
    std::byte* frame = payload - size_;
    if (size_ == kEthernetSize + kIpv4Size + kUdpSize) {
      write_v4(frame, payload_length);
    } else {
      write_v6(frame, payload, payload_length);
    }
    return frame;
  }

  friend bool operator==(const OuterTemplate&, const OuterTemplate&) = default;

 private:
  void write_v4(std::byte* frame, std::size_t payload_length) const {
    constexpr std::size_t kUdp = kEthernetSize + kIpv4Size;
    const auto udp_length = static_cast<std::uint16_t>(payload_length + kUdpSize);
    const auto total = static_cast<std::uint16_t>(udp_length + kIpv4Size);
    std::memcpy(frame, bytes_.data(), kUdp + kUdpSize);
    store_be_at<std::uint16_t>(frame + kEthernetSize + 2, total);
    // Two numbers of 16 bits: one carry at most.
    const std::uint32_t sum = partial_sum_ + total;
    const auto checksum = static_cast<std::uint16_t>(~((sum & 0xffffU) + (sum >> 16U)));
    store_be_at<std::uint16_t>(frame + kEthernetSize + 10, checksum);
    // The UDP checksum stays 0: allowed over IPv4 (RFC 768).
    store_be_at<std::uint16_t>(frame + kUdp + 4, udp_length);
  }
  void write_v6(std::byte* frame, const std::byte* payload, std::size_t payload_length) const;

  // With IPv4 all of it is in the first cache line.
  alignas(64) std::uint32_t partial_sum_ = 0;  // IPv4 header, or IPv6 pseudo-header and UDP,
                                               // without lengths
  std::uint8_t size_ = 0;
  std::array<std::byte, kMostSize> bytes_{};
};

}  // namespace magnetar::wire
