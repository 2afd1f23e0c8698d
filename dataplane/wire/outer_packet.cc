// SPDX-License-Identifier: Apache-2.0
#include "dataplane/wire/outer_packet.h"

#include <cstring>

#include "dataplane/base/check.h"

namespace magnetar::wire {
namespace {

constexpr std::uint16_t kEtherTypeIpv4 = 0x0800;
constexpr std::uint16_t kEtherTypeIpv6 = 0x86dd;
constexpr std::byte kProtocolUdp{17};
constexpr std::size_t kIpv4TotalLength = kEthernetSize + 2;
constexpr std::size_t kIpv4Checksum = kEthernetSize + 10;
constexpr std::size_t kIpv6PayloadLength = kEthernetSize + 4;
constexpr std::uint16_t kMoreFragmentsOrOffset = 0x3fff;

std::uint16_t be16(const std::byte* at) {
  return load_be<std::uint16_t>(std::span<const std::byte, 2>(at, 2));
}
void put_be16(std::byte* at, std::uint16_t value) {
  store_be<std::uint16_t>(std::span<std::byte, 2>(at, 2), value);
}

// The sum of RFC 1071 over big-endian words; an odd last byte counts as the high half.
std::uint64_t sum_words(const std::byte* data, std::size_t size) {
  std::uint64_t sum = 0;
  // Any word order gives the same folded sum, so whole native words are added and swapped once.
  std::uint64_t native = 0;
  std::size_t at = 0;
  for (; at + 8 <= size; at += 8) {
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    std::memcpy(&low, data + at, 4);
    std::memcpy(&high, data + at + 4, 4);
    native += std::uint64_t{low} + high;
  }
  while (native >> 16U) native = (native & 0xffffU) + (native >> 16U);
  sum = __builtin_bswap16(static_cast<std::uint16_t>(native));
  for (; at + 2 <= size; at += 2) sum += be16(data + at);
  if (at < size) sum += std::uint64_t{std::to_integer<std::uint8_t>(data[at])} << 8U;
  return sum;
}

std::uint16_t fold(std::uint64_t sum) {
  while (sum >> 16U) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(sum);
}

std::uint64_t mix(std::uint64_t x) {  // the finaliser of MurmurHash3
  x = (x ^ (x >> 33U)) * 0xff51afd7ed558ccdULL;
  x = (x ^ (x >> 33U)) * 0xc4ceb9fe1a85ec53ULL;
  return x ^ (x >> 33U);
}

std::uint64_t key_of(const std::byte* ip, bool v4, std::uint16_t port) {
  if (v4) {
    const auto addr = load_be<std::uint32_t>(std::span<const std::byte, 4>(ip, 4));
    return (std::uint64_t{addr} << 16U) | port;
  }
  const auto high = load_be<std::uint64_t>(std::span<const std::byte, 8>(ip, 8));
  const auto low = load_be<std::uint64_t>(std::span<const std::byte, 8>(ip + 8, 8));
  // The top bit keeps the two families apart.
  return (mix(high ^ mix(low ^ mix(port))) >> 1U) | (1ULL << 63U);
}

Verdict parse_udp(ByteView frame, std::size_t at, std::size_t ip_payload, OuterView& view) {
  if (ip_payload < kUdpSize) return Verdict::kMalformedOuter;
  const std::size_t udp_length = be16(&frame[at + 4]);
  if (udp_length < kUdpSize || udp_length > ip_payload) return Verdict::kMalformedOuter;
  view.source_port = be16(&frame[at]);
  view.destination_port = be16(&frame[at + 2]);
  view.payload_offset = static_cast<std::uint16_t>(at + kUdpSize);
  view.payload_length = static_cast<std::uint16_t>(udp_length - kUdpSize);
  return Verdict::kForward;
}

Verdict parse_v4(ByteView frame, OuterView& view) {
  const ByteView ip = frame.subspan(kEthernetSize);
  if (ip.size() < kIpv4Size) return Verdict::kMalformedOuter;
  const auto first = std::to_integer<std::size_t>(ip[0]);
  const std::size_t header = (first & 0xfU) * 4;
  const std::size_t total = be16(&ip[2]);
  if (first >> 4U != 4 || header < kIpv4Size || total < header || total > ip.size())
    return Verdict::kMalformedOuter;
  if (ip[9] != kProtocolUdp) return Verdict::kNotOurs;
  if ((be16(&ip[6]) & kMoreFragmentsOrOffset) != 0) return Verdict::kMalformedOuter;
  view.v4 = true;
  view.source_ip = &ip[12];
  view.destination_ip = &ip[16];
  return parse_udp(frame, kEthernetSize + header, total - header, view);
}

Verdict parse_v6(ByteView frame, OuterView& view) {
  const ByteView ip = frame.subspan(kEthernetSize);
  if (ip.size() < kIpv6Size) return Verdict::kMalformedOuter;
  const std::size_t payload = be16(&ip[4]);
  if (std::to_integer<unsigned>(ip[0]) >> 4U != 6 || payload > ip.size() - kIpv6Size)
    return Verdict::kMalformedOuter;
  if (ip[6] != kProtocolUdp) return Verdict::kNotOurs;  // extension headers: the kernel's business
  view.v4 = false;
  view.source_ip = &ip[8];
  view.destination_ip = &ip[24];
  return parse_udp(frame, kEthernetSize + kIpv6Size, payload, view);
}

}  // namespace

std::uint64_t underlay_key(const UnderlayAddr& addr) {
  return key_of(addr.ip.network_bytes().data(), addr.ip.is_v4(), addr.port);
}

std::uint64_t OuterView::source_key() const { return key_of(source_ip, v4, source_port); }

Verdict parse_outer(ByteView frame, OuterView& view) {
  if (frame.size() < kEthernetSize || frame.size() > 0xffff) return Verdict::kMalformedOuter;
  switch (be16(&frame[12])) {
    case kEtherTypeIpv4:
      return parse_v4(frame, view);
    case kEtherTypeIpv6:
      return parse_v6(frame, view);
    default:
      return Verdict::kNotOurs;
  }
}

OuterTemplate::OuterTemplate(const OuterPath& path) {
  const bool v4 = path.destination.ip.is_v4();
  MAGNETAR_CHECK(v4 == path.source.ip.is_v4());
  std::memcpy(&bytes_[0], path.next_mac.data(), 6);
  std::memcpy(&bytes_[6], path.source_mac.data(), 6);
  put_be16(&bytes_[12], v4 ? kEtherTypeIpv4 : kEtherTypeIpv6);
  std::byte* ip = &bytes_[kEthernetSize];
  const ByteView source = path.source.ip.network_bytes();
  const ByteView destination = path.destination.ip.network_bytes();
  std::byte* udp = ip + (v4 ? kIpv4Size : kIpv6Size);
  put_be16(udp, path.source.port);
  put_be16(udp + 2, path.destination.port);
  if (v4) {
    ip[0] = std::byte{0x45};
    ip[6] = std::byte{0x40};  // don't fragment: a silent fragment is a lost packet later
    ip[8] = std::byte{64};
    ip[9] = kProtocolUdp;
    std::memcpy(ip + 12, source.data(), 4);
    std::memcpy(ip + 16, destination.data(), 4);
    partial_sum_ = fold(sum_words(ip, kIpv4Size));
    size_ = kEthernetSize + kIpv4Size + kUdpSize;
  } else {
    ip[0] = std::byte{0x60};
    ip[6] = kProtocolUdp;
    ip[7] = std::byte{64};
    std::memcpy(ip + 8, source.data(), 16);
    std::memcpy(ip + 24, destination.data(), 16);
    // Pseudo-header: addresses and next header; ports. The length comes in twice per packet.
    partial_sum_ = fold(sum_words(ip + 8, 32) + 17 + sum_words(udp, 4));
    size_ = kEthernetSize + kIpv6Size + kUdpSize;
  }
}

std::byte* OuterTemplate::write_before(std::byte* payload, std::size_t payload_length) const {
  std::byte* frame = payload - size_;
  if (size_ == kEthernetSize + kIpv4Size + kUdpSize) {
    write_v4(frame, payload_length);
  } else {
    write_v6(frame, payload, payload_length);
  }
  return frame;
}

void OuterTemplate::write_v4(std::byte* frame, std::size_t payload_length) const {
  constexpr std::size_t kUdp = kEthernetSize + kIpv4Size;
  const auto udp_length = static_cast<std::uint16_t>(payload_length + kUdpSize);
  const auto total = static_cast<std::uint16_t>(udp_length + kIpv4Size);
  std::memcpy(frame, bytes_.data(), kUdp + kUdpSize);
  put_be16(frame + kIpv4TotalLength, total);
  put_be16(frame + kIpv4Checksum,
           static_cast<std::uint16_t>(~fold(std::uint64_t{partial_sum_} + total)));
  put_be16(frame + kUdp + 4, udp_length);  // UDP checksum stays 0: allowed over IPv4 (RFC 768)
}

void OuterTemplate::write_v6(std::byte* frame, const std::byte* payload,
                             std::size_t payload_length) const {
  constexpr std::size_t kUdp = kEthernetSize + kIpv6Size;
  const auto udp_length = static_cast<std::uint16_t>(payload_length + kUdpSize);
  std::memcpy(frame, bytes_.data(), kUdp + kUdpSize);
  put_be16(frame + kIpv6PayloadLength, udp_length);
  put_be16(frame + kUdp + 4, udp_length);
  const std::uint64_t sum =
      std::uint64_t{partial_sum_} + 2ULL * udp_length + sum_words(payload, payload_length);
  const auto checksum = static_cast<std::uint16_t>(~fold(sum));
  put_be16(frame + kUdp + 6, checksum == 0 ? 0xffff : checksum);  // 0 means none (RFC 8200 8.1)
}

}  // namespace magnetar::wire
