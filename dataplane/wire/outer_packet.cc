// SPDX-License-Identifier: Apache-2.0
#include "dataplane/wire/outer_packet.h"

#include <cstring>

#include "dataplane/base/check.h"

namespace magnetar::wire {
namespace {

constexpr std::size_t kIpv6PayloadLength = kEthernetSize + 4;

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
  for (; at + 2 <= size; at += 2) sum += load_be_at<std::uint16_t>(data + at);
  if (at < size) sum += std::uint64_t{std::to_integer<std::uint8_t>(data[at])} << 8U;
  return sum;
}

std::uint16_t fold(std::uint64_t sum) {
  while (sum >> 16U) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(sum);
}

}  // namespace

std::uint64_t underlay_key(const UnderlayAddr& addr) {
  return detail::key_of(addr.ip.network_bytes().data(), addr.ip.is_v4(), addr.port);
}

OuterTemplate::OuterTemplate(const OuterPath& path) {
  const bool v4 = path.destination.ip.is_v4();
  MAGNETAR_CHECK(v4 == path.source.ip.is_v4());
  std::memcpy(&bytes_[0], path.next_mac.data(), 6);
  std::memcpy(&bytes_[6], path.source_mac.data(), 6);
  store_be_at<std::uint16_t>(&bytes_[12], v4 ? detail::kEtherTypeIpv4 : detail::kEtherTypeIpv6);
  std::byte* ip = &bytes_[kEthernetSize];
  const ByteView source = path.source.ip.network_bytes();
  const ByteView destination = path.destination.ip.network_bytes();
  std::byte* udp = ip + (v4 ? kIpv4Size : kIpv6Size);
  store_be_at<std::uint16_t>(udp, path.source.port);
  store_be_at<std::uint16_t>(udp + 2, path.destination.port);
  if (v4) {
    ip[0] = std::byte{0x45};
    ip[6] = std::byte{0x40};  // don't fragment: a silent fragment is a lost packet later
    ip[8] = std::byte{64};
    ip[9] = detail::kProtocolUdp;
    std::memcpy(ip + 12, source.data(), 4);
    std::memcpy(ip + 16, destination.data(), 4);
    partial_sum_ = fold(sum_words(ip, kIpv4Size));
    size_ = kEthernetSize + kIpv4Size + kUdpSize;
  } else {
    ip[0] = std::byte{0x60};
    ip[6] = detail::kProtocolUdp;
    ip[7] = std::byte{64};
    std::memcpy(ip + 8, source.data(), 16);
    std::memcpy(ip + 24, destination.data(), 16);
    // Pseudo-header: addresses and next header; ports. The length comes in twice per packet.
    partial_sum_ = fold(sum_words(ip + 8, 32) + 17 + sum_words(udp, 4));
    size_ = kEthernetSize + kIpv6Size + kUdpSize;
  }
}

void OuterTemplate::write_v6(std::byte* frame, const std::byte* payload,
                             std::size_t payload_length) const {
  constexpr std::size_t kUdp = kEthernetSize + kIpv6Size;
  const auto udp_length = static_cast<std::uint16_t>(payload_length + kUdpSize);
  std::memcpy(frame, bytes_.data(), kUdp + kUdpSize);
  store_be_at<std::uint16_t>(frame + kIpv6PayloadLength, udp_length);
  store_be_at<std::uint16_t>(frame + kUdp + 4, udp_length);
  const std::uint64_t sum =
      std::uint64_t{partial_sum_} + 2ULL * udp_length + sum_words(payload, payload_length);
  const auto checksum = static_cast<std::uint16_t>(~fold(sum));
  store_be_at<std::uint16_t>(frame + kUdp + 6,
                             checksum == 0 ? 0xffff : checksum);  // 0 means none (RFC 8200 8.1)
}

}  // namespace magnetar::wire
