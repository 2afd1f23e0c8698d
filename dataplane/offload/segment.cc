// SPDX-License-Identifier: Apache-2.0
#include "dataplane/offload/segment.h"

#include <algorithm>
#include <cstring>

#include "dataplane/offload/headers.h"

namespace magnetar::offload {
namespace {

// Where the L4 header begins and of which protocol it is.
struct L4 {
  std::size_t at;
  std::uint8_t protocol;
};

std::optional<L4> find_l4_v4(ByteView packet) {
  if (packet.size() < ipv4::kSize) return std::nullopt;
  const std::size_t header = (byte_at(packet.data(), 0) & 0xfU) * 4;
  const auto fragment = load_be_at<std::uint16_t>(&packet[ipv4::kFragment]);
  if (header < ipv4::kSize || (fragment & ~ipv4::kDontFragment) != 0) return std::nullopt;
  return L4{header, byte_at(packet.data(), ipv4::kProtocol)};
}

// Behind those extension headers that a sender's own kernel may have put in (RFC 8200 4.1).
std::optional<L4> find_l4_v6(ByteView packet) {
  constexpr std::uint8_t kHopByHop = 0;
  constexpr std::uint8_t kRouting = 43;
  constexpr std::uint8_t kDestinationOptions = 60;
  if (packet.size() < ipv6::kSize) return std::nullopt;
  L4 l4{ipv6::kSize, byte_at(packet.data(), ipv6::kNextHeader)};
  while (l4.protocol == kHopByHop || l4.protocol == kRouting ||
         l4.protocol == kDestinationOptions) {
    if (packet.size() - l4.at < 8) return std::nullopt;
    const std::size_t size = (byte_at(packet.data(), l4.at + 1) + std::size_t{1}) * 8;
    if (packet.size() - l4.at < size) return std::nullopt;
    l4 = {l4.at + size, byte_at(packet.data(), l4.at)};
  }
  return l4;
}

std::optional<L4> find_l4(ByteView packet) {
  if (packet.empty()) return std::nullopt;
  const unsigned version = byte_at(packet.data(), 0) >> 4U;
  if (version == 4) return find_l4_v4(packet);
  if (version == 6) return find_l4_v6(packet);
  return std::nullopt;
}

// What a GSO type says of the packet.
struct GsoRule {
  std::uint8_t type;
  std::uint8_t protocol;
  std::uint8_t version;  // 0: either
  std::uint16_t checksum_offset;
};
constexpr std::array kGsoRules{
    GsoRule{VnetHeader::kGsoTcpV4, kProtocolTcp, 4, tcp::kChecksum},
    GsoRule{VnetHeader::kGsoTcpV6, kProtocolTcp, 6, tcp::kChecksum},
    GsoRule{VnetHeader::kGsoUdp, kProtocolUdp, 0, udp::kChecksum},
};

bool agrees(const VnetHeader& header, const GsoRule& rule, ByteView packet, const L4& l4) {
  const unsigned version = byte_at(packet.data(), 0) >> 4U;
  return (rule.version == 0 || rule.version == version) && rule.protocol == l4.protocol &&
         header.checksum_start == l4.at && header.checksum_offset == rule.checksum_offset;
}

// Of IP, L4 and all their options; none: cut short.
std::optional<std::size_t> size_of_headers(ByteView packet, const L4& l4) {
  const std::size_t rest = packet.size() - std::min(packet.size(), l4.at);
  if (l4.protocol == kProtocolUdp) {
    if (rest < udp::kSize) return std::nullopt;
    return l4.at + udp::kSize;
  }
  if (rest < tcp::kSize) return std::nullopt;
  const std::size_t size =
      (byte_at(packet.data(), l4.at + tcp::kDataOffset) >> 4U) * std::size_t{4};
  if (size < tcp::kSize || rest < size) return std::nullopt;
  return l4.at + size;
}

}  // namespace

bool complete_checksum(const VnetHeader& header, MutableBytes packet) {
  if ((header.flags & VnetHeader::kNeedsChecksum) == 0) return true;
  const std::size_t start = header.checksum_start;
  const std::size_t field = start + header.checksum_offset;
  if (field + sizeof(std::uint16_t) > packet.size()) return false;
  // The field holds the sum of the pseudo header. An odd place is one that no packet has.
  if (start % 2 != 0 || header.checksum_offset % 2 != 0) return false;
  const auto checksum = static_cast<std::uint16_t>(~fold(sum_of(packet.subspan(start))));
  // Zero would mean "none" in UDP. The kernel writes it so for TCP as well.
  store_raw(&packet[field], checksum == 0 ? std::uint16_t{0xffff} : checksum);
  return true;
}

std::optional<VnetHeader> describe_unfinished(ByteView packet, std::uint16_t gso_size) {
  const auto l4 = find_l4(packet);
  if (!l4) return std::nullopt;
  const bool tcp = l4->protocol == kProtocolTcp;
  if (!tcp && (gso_size != 0 || l4->protocol != kProtocolUdp)) return std::nullopt;
  VnetHeader header{
      .flags = VnetHeader::kNeedsChecksum,
      .gso_size = gso_size,
      .checksum_start = static_cast<std::uint16_t>(l4->at),
      .checksum_offset = static_cast<std::uint16_t>(tcp ? tcp::kChecksum : udp::kChecksum)};
  if (gso_size != 0)
    header.gso_type =
        byte_at(packet.data(), 0) >> 4U == 4 ? VnetHeader::kGsoTcpV4 : VnetHeader::kGsoTcpV6;
  return header;
}

bool Segmenter::start(const VnetHeader& header, ByteView packet, std::size_t room) {
  payload_ = {};
  const std::uint8_t type = header.gso_type & static_cast<std::uint8_t>(~VnetHeader::kGsoEcn);
  const auto* rule = std::ranges::find(kGsoRules, type, &GsoRule::type);
  const auto l4 = find_l4(packet);
  if (rule == kGsoRules.end() || !l4 || !agrees(header, *rule, packet, *l4)) return false;
  if ((header.flags & VnetHeader::kNeedsChecksum) == 0 || header.gso_size == 0) return false;
  const auto size = size_of_headers(packet, *l4);
  if (!size || *size > kMostHeaders || *size == packet.size()) return false;
  if (packet.size() - l4->at > UINT16_MAX) return false;  // the pseudo header's length would wrap
  const std::size_t payload = std::min<std::size_t>(header.gso_size, packet.size() - *size);
  if (*size + payload > std::min<std::size_t>(room, UINT16_MAX)) return false;

  gso_size_ = header.gso_size;
  l4_ = l4->at;
  size_ = *size;
  v4_ = byte_at(packet.data(), 0) >> 4U == 4;
  tcp_ = rule->protocol == kProtocolTcp;
  first_ = true;
  std::memcpy(headers_.data(), packet.data(), size_);
  payload_ = packet.subspan(size_);
  prepare();
  return true;
}

// Sums what all segments have in common, with the fields of their own as zero.
void Segmenter::prepare() {
  std::byte* const l4 = headers_.data() + l4_;
  const std::size_t l4_size = size_ - l4_ + payload_.size();  // as the pseudo header counted it
  std::byte* const checksum = l4 + (tcp_ ? tcp::kChecksum : udp::kChecksum);
  // Take its length out of the pseudo header's sum: add the complement.
  const Sum pseudo =
      load_raw(checksum) +
      Sum{static_cast<std::uint16_t>(~sum_of_field(static_cast<std::uint16_t>(l4_size)))};
  store_raw(checksum, 0);
  if (tcp_) {
    sequence_ = load_be_at<std::uint32_t>(l4 + tcp::kSequence);
    store_be_at<std::uint32_t>(l4 + tcp::kSequence, 0);
  } else {
    store_raw(l4 + udp::kLength, 0);
  }
  l4_sum_ = pseudo + sum_of({l4, size_ - l4_});
  if (!v4_) return;
  ipv4_id_ = load_be_at<std::uint16_t>(&headers_[ipv4::kId]);
  store_raw(&headers_[ipv4::kId], 0);
  store_raw(&headers_[ipv4::kTotalLength], 0);
  store_raw(&headers_[ipv4::kChecksum], 0);
  ip_sum_ = sum_of({headers_.data(), l4_});
}

std::size_t Segmenter::next(std::byte* to) {
  const ByteView part = payload_.first(std::min(gso_size_, payload_.size()));
  payload_ = payload_.subspan(part.size());
  std::memcpy(to, headers_.data(), size_);
  const Sum sum = copy_and_sum(to + size_, part);
  write_ip(to, size_ - l4_ + part.size());
  if (tcp_)
    write_tcp(to + l4_, sum, part.size());
  else
    write_udp(to + l4_, sum, part.size());
  first_ = false;
  return size_ + part.size();
}

void Segmenter::write_ip(std::byte* to, std::size_t l4_size) {
  if (!v4_) {
    const std::size_t length = l4_ - ipv6::kSize + l4_size;
    return store_be_at(to + ipv6::kPayloadLength, static_cast<std::uint16_t>(length));
  }
  const auto length = static_cast<std::uint16_t>(l4_ + l4_size);
  store_be_at(to + ipv4::kTotalLength, length);
  store_be_at(to + ipv4::kId, ipv4_id_);
  const Sum sum = ip_sum_ + sum_of_field(length) + sum_of_field(ipv4_id_);
  store_raw(to + ipv4::kChecksum, static_cast<std::uint16_t>(~fold(sum)));
  ++ipv4_id_;
}

void Segmenter::write_tcp(std::byte* to, Sum payload, std::size_t payload_size) {
  std::uint8_t cleared = 0;
  if (!payload_.empty()) cleared |= tcp::kFin | tcp::kPsh;
  if (!first_) cleared |= tcp::kCwr;
  const auto all = std::to_integer<std::uint8_t>(to[tcp::kFlags]);
  cleared &= all;
  to[tcp::kFlags] = static_cast<std::byte>(all & ~cleared);
  store_be_at(to + tcp::kSequence, sequence_);
  const auto l4_size = static_cast<std::uint16_t>(size_ - l4_ + payload_size);
  const Sum sum = l4_sum_ + sum_of_field(l4_size) + swap_bytes(sequence_) +
                  static_cast<std::uint16_t>(~sum_of_field(cleared)) + payload;
  store_raw(to + tcp::kChecksum, static_cast<std::uint16_t>(~fold(sum)));
  sequence_ += static_cast<std::uint32_t>(payload_size);
}

void Segmenter::write_udp(std::byte* to, Sum payload, std::size_t payload_size) const {
  const auto l4_size = static_cast<std::uint16_t>(size_ - l4_ + payload_size);
  store_be_at(to + udp::kLength, l4_size);
  // The length counts twice: in the pseudo header and in UDP's own.
  const Sum sum = l4_sum_ + 2 * sum_of_field(l4_size) + payload;
  const auto checksum = static_cast<std::uint16_t>(~fold(sum));
  store_raw(to + udp::kChecksum, checksum == 0 ? std::uint16_t{0xffff} : checksum);
}

}  // namespace magnetar::offload
