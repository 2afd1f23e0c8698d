// SPDX-License-Identifier: Apache-2.0
#include "dataplane/wire/icmp_error.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "dataplane/offload/checksum.h"
#include "dataplane/offload/headers.h"
#include "dataplane/wire/inner_packet.h"

namespace magnetar::wire {
namespace {

namespace ipv4 = offload::ipv4;
namespace ipv6 = offload::ipv6;

constexpr std::size_t kIcmpSize = 8;
constexpr std::uint8_t kProtocolIcmp = 1;
constexpr std::uint8_t kProtocolIcmpV6 = 58;
constexpr std::uint8_t kTtl = 64;
constexpr std::size_t kMostV4 = 576;   // RFC 1812 section 4.3.2.3
constexpr std::size_t kMostV6 = 1280;  // RFC 4443 section 2.4 (c)

struct TypeAndCode {
  std::uint8_t type;
  std::uint8_t code;
};
constexpr TypeAndCode code_v4(IcmpError error) {
  return error == IcmpError::kTooBig ? TypeAndCode{3, 4} : TypeAndCode{11, 0};
}
constexpr TypeAndCode code_v6(IcmpError error) {
  return error == IcmpError::kTooBig ? TypeAndCode{2, 0} : TypeAndCode{3, 0};
}

// A sender that can be told: one host.
bool is_host(const IpAddr& addr) {
  constexpr std::uint32_t kBroadcast = 0xffffffff;
  return !addr.is_multicast() && !addr.is_unspecified() && !addr.is_loopback() &&
         !(addr.is_v4() && addr.v4_value() == kBroadcast);
}

// Questions and their answers, in either family, may be told about; errors and what we do not
// know may not.
bool is_icmp_query_v4(std::uint8_t type) {
  constexpr std::array<std::uint8_t, 7> kErrors{3, 4, 5, 11, 12, 31, 40};
  return std::ranges::find(kErrors, type) == kErrors.end();
}
bool is_icmp_query_v6(std::uint8_t type) {
  constexpr std::uint8_t kFirstInformational = 128;
  constexpr std::uint8_t kRedirect = 137;
  return type >= kFirstInformational && type != kRedirect;
}

bool may_tell_v4(ByteView packet) {
  const std::size_t header = (byte_at(packet.data(), 0) & 0xfU) * 4;
  if ((load_be_at<std::uint16_t>(&packet[ipv4::kFragment]) & 0x1fffU) != 0) return false;
  if (byte_at(packet.data(), ipv4::kProtocol) != kProtocolIcmp) return true;
  return packet.size() > header && is_icmp_query_v4(byte_at(packet.data(), header));
}

// Behind extension headers, too, as far as they are all there.
bool may_tell_v6(ByteView packet) {
  constexpr std::uint8_t kHopByHop = 0;
  constexpr std::uint8_t kRouting = 43;
  constexpr std::uint8_t kFragment = 44;
  constexpr std::uint8_t kDestination = 60;
  std::uint8_t next = byte_at(packet.data(), ipv6::kNextHeader);
  std::size_t at = ipv6::kSize;
  while (next == kHopByHop || next == kRouting || next == kFragment || next == kDestination) {
    if (packet.size() < at + 8) return false;
    const bool fragment = next == kFragment;
    if (fragment && (load_be_at<std::uint16_t>(&packet[at + 2]) & 0xfff8U) != 0) return false;
    next = byte_at(packet.data(), at);
    at += fragment ? 8 : (byte_at(packet.data(), at + 1) + std::size_t{1}) * 8;
  }
  if (next != kProtocolIcmpV6) return true;
  return packet.size() > at && is_icmp_query_v6(byte_at(packet.data(), at));
}

void write_icmp(std::byte* icmp, TypeAndCode what, std::uint32_t rest) {
  icmp[0] = std::byte{what.type};
  icmp[1] = std::byte{what.code};
  icmp[2] = icmp[3] = std::byte{0};
  store_be_at(icmp + 4, rest);
}

MutableBytes write_v4(TypeAndCode what, std::uint16_t mtu, const IpAddr& from, const IpAddr& to,
                      MutableBytes packet) {
  const std::size_t quoted = std::min(packet.size(), kMostV4 - ipv4::kSize - kIcmpSize);
  std::byte* const icmp = packet.data() - kIcmpSize;
  write_icmp(icmp, what, mtu);
  offload::store_raw(icmp + 2, static_cast<std::uint16_t>(
                                   ~offload::fold(offload::sum_of({icmp, kIcmpSize + quoted}))));
  std::byte* const ip = icmp - ipv4::kSize;
  const auto total = static_cast<std::uint16_t>(ipv4::kSize + kIcmpSize + quoted);
  std::memset(ip, 0, ipv4::kSize);
  ip[0] = std::byte{0x45};
  ip[ipv4::kTos] = std::byte{0xc0};  // internetwork control (RFC 1812 section 4.3.2.5)
  store_be_at(ip + ipv4::kTotalLength, total);
  ip[ipv4::kTtl] = std::byte{kTtl};
  ip[ipv4::kProtocol] = std::byte{kProtocolIcmp};
  std::ranges::copy(from.network_bytes(), ip + ipv4::kAddresses);
  std::ranges::copy(to.network_bytes(), ip + ipv4::kAddresses + 4);
  offload::store_raw(ip + ipv4::kChecksum, static_cast<std::uint16_t>(
                                               ~offload::fold(offload::sum_of({ip, ipv4::kSize}))));
  return {ip, total};
}

MutableBytes write_v6(TypeAndCode what, std::uint16_t mtu, const IpAddr& from, const IpAddr& to,
                      MutableBytes packet) {
  const std::size_t quoted = std::min(packet.size(), kMostV6 - ipv6::kSize - kIcmpSize);
  const auto length = static_cast<std::uint16_t>(kIcmpSize + quoted);
  std::byte* const icmp = packet.data() - kIcmpSize;
  write_icmp(icmp, what, mtu);
  std::byte* const ip = icmp - ipv6::kSize;
  store_be_at(ip, std::uint32_t{0x60000000});
  store_be_at(ip + ipv6::kPayloadLength, length);
  ip[ipv6::kNextHeader] = std::byte{kProtocolIcmpV6};
  ip[ipv6::kHopLimit] = std::byte{kTtl};
  std::ranges::copy(from.network_bytes(), ip + ipv6::kAddresses);
  std::ranges::copy(to.network_bytes(), ip + ipv6::kAddresses + 16);
  const offload::Sum sum = offload::sum_of({ip + ipv6::kAddresses, std::size_t{32} + length}) +
                           offload::sum_of_field(length) + offload::sum_of_field(kProtocolIcmpV6);
  offload::store_raw(icmp + 2, static_cast<std::uint16_t>(~offload::fold(sum)));
  return {ip, ipv6::kSize + length};
}

}  // namespace

MutableBytes write_icmp_error(IcmpError error, std::uint16_t mtu, const IpAddr& from,
                              MutableBytes packet) {
  InnerView inner;
  if (!parse_inner(packet, inner) || inner.v4 != from.is_v4()) return {};
  const IpAddr sender = inner.source_addr();
  if (!is_host(sender) || inner.destination_addr().is_multicast()) return {};
  if (!(inner.v4 ? may_tell_v4(packet) : may_tell_v6(packet))) return {};
  const std::uint16_t tell = error == IcmpError::kTooBig ? mtu : 0;
  return inner.v4 ? write_v4(code_v4(error), tell, from, sender, packet)
                  : write_v6(code_v6(error), tell, from, sender, packet);
}

}  // namespace magnetar::wire
