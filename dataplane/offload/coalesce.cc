// SPDX-License-Identifier: Apache-2.0
#include "dataplane/offload/coalesce.h"

#include <cstring>

#include "dataplane/base/check.h"
#include "dataplane/offload/checksum.h"
#include "dataplane/offload/headers.h"

namespace magnetar::offload {
namespace {

constexpr std::size_t kLongest = UINT16_MAX;  // of an IP packet

template <typename T>
bool differ(const std::byte* a, const std::byte* b, std::size_t at) {
  T one;
  T other;
  std::memcpy(&one, a + at, sizeof(T));
  std::memcpy(&other, b + at, sizeof(T));
  return one != other;
}

// IP without options, extension headers or fragmentation; TCP or UDP whole. `l4` and on are not
// set when it is not that.
struct Shape {
  bool v4;
  bool tcp;
  std::uint16_t l4;
  std::uint16_t headers;
  std::uint16_t payload;
};

bool read_ip(ByteView packet, Shape& shape) {
  const std::byte* p = packet.data();
  std::uint8_t protocol = 0;
  if (packet.size() >= ipv4::kSize && byte_at(p, 0) == 0x45) {
    if (load_be_at<std::uint16_t>(p + ipv4::kTotalLength) != packet.size()) return false;
    if ((load_be_at<std::uint16_t>(p + ipv4::kFragment) & ~ipv4::kDontFragment) != 0) return false;
    protocol = byte_at(p, ipv4::kProtocol);
    shape.v4 = true;
    shape.l4 = ipv4::kSize;
  } else if (packet.size() >= ipv6::kSize && byte_at(p, 0) >> 4U == 6) {
    if (load_be_at<std::uint16_t>(p + ipv6::kPayloadLength) + ipv6::kSize != packet.size())
      return false;
    protocol = byte_at(p, ipv6::kNextHeader);
    shape.v4 = false;
    shape.l4 = ipv6::kSize;
  } else {
    return false;
  }
  shape.tcp = protocol == kProtocolTcp;
  return shape.tcp || protocol == kProtocolUdp;
}

bool read_shape(ByteView packet, Shape& shape) {
  if (packet.size() > kLongest || !read_ip(packet, shape)) return false;
  const std::size_t rest = packet.size() - shape.l4;
  std::size_t size = udp::kSize;
  if (shape.tcp) {
    if (rest < tcp::kSize) return false;
    size = (byte_at(packet.data(), shape.l4 + tcp::kDataOffset) >> 4U) * std::size_t{4};
    if (size < tcp::kSize) return false;
  }
  if (rest < size) return false;
  const std::byte* l4 = packet.data() + shape.l4;
  if (!shape.tcp && load_be_at<std::uint16_t>(l4 + udp::kLength) != rest) return false;
  shape.headers = static_cast<std::uint16_t>(shape.l4 + size);
  shape.payload = static_cast<std::uint16_t>(rest - size);
  return true;
}

// By addresses and ports; those of one flow are equal.
std::uint32_t hash_of(const std::byte* packet, const Shape& shape) {
  constexpr std::uint64_t kMix = 0x9e3779b97f4a7c15U;
  const std::byte* from = packet + (shape.v4 ? ipv4::kAddresses : ipv6::kAddresses);
  std::uint64_t hash = shape.tcp ? 1 : 2;
  std::uint64_t word;
  for (const std::byte* end = packet + shape.l4; from < end; from += sizeof(word)) {
    std::memcpy(&word, from, sizeof(word));
    hash = (hash ^ word) * kMix;
  }
  std::uint32_t ports;
  std::memcpy(&ports, packet + shape.l4, sizeof(ports));
  return static_cast<std::uint32_t>(((hash ^ ports) * kMix) >> 32U);
}

bool same_flow(const Bundle& bundle, const std::byte* a, const Shape& shape, const std::byte* b) {
  if (bundle.v4 != shape.v4 || bundle.tcp != shape.tcp) return false;
  const std::size_t from = shape.v4 ? ipv4::kAddresses : ipv6::kAddresses;
  return std::memcmp(a + from, b + from, shape.l4 + sizeof(std::uint32_t) - from) == 0;
}

// The headers whose equality the whole's headers rely on.
bool same_ip(const std::byte* a, const std::byte* b, bool v4) {
  if (v4)
    return !differ<std::uint8_t>(a, b, ipv4::kTos) && !differ<std::uint8_t>(a, b, ipv4::kTtl) &&
           !differ<std::uint16_t>(a, b, ipv4::kFragment);
  return !differ<std::uint32_t>(a, b, 0) &&  // class with ECN, and flow label
         !differ<std::uint8_t>(a, b, ipv6::kHopLimit);
}

bool same_tcp(const std::byte* a, const std::byte* b, std::size_t size) {
  constexpr std::uint8_t kMayDiffer = tcp::kFin | tcp::kPsh | tcp::kCwr;
  const unsigned flags = byte_at(a, tcp::kFlags) ^ byte_at(b, tcp::kFlags);
  return (flags & ~unsigned{kMayDiffer}) == 0 && (byte_at(b, tcp::kFlags) & tcp::kCwr) == 0 &&
         !differ<std::uint32_t>(a, b, tcp::kAck) && !differ<std::uint8_t>(a, b, tcp::kDataOffset) &&
         !differ<std::uint16_t>(a, b, tcp::kWindow) && !differ<std::uint16_t>(a, b, tcp::kUrgent) &&
         std::memcmp(a + tcp::kSize, b + tcp::kSize, size - tcp::kSize) == 0;  // options
}

Sum pseudo_header(const std::byte* packet, bool v4, bool tcp, std::size_t l4_size) {
  const std::size_t from = v4 ? ipv4::kAddresses : ipv6::kAddresses;
  const std::size_t size = v4 ? 8 : 32;
  return sum_of({packet + from, size}) + sum_of_field(tcp ? kProtocolTcp : kProtocolUdp) +
         sum_of_field(static_cast<std::uint16_t>(l4_size));
}

// As every sender writes them: two values are valid for some sums, and only one comes back.
bool checksums_hold(ByteView packet, bool v4, bool tcp, std::size_t l4) {
  constexpr std::uint16_t kOnes = 0xffff;
  const std::byte* p = packet.data();
  if (v4 && (load_raw(p + ipv4::kChecksum) == kOnes || fold(sum_of({p, l4})) != kOnes))
    return false;
  const std::uint16_t field = load_raw(p + l4 + (tcp ? tcp::kChecksum : udp::kChecksum));
  if (field == (tcp ? kOnes : 0)) return false;  // UDP's 0: it has none
  const ByteView text = packet.subspan(l4);
  return fold(pseudo_header(p, v4, tcp, text.size()) + sum_of(text)) == kOnes;
}

}  // namespace

struct Coalescer::Packet {
  std::uint8_t number;
  ByteView bytes;
  Shape shape;
  [[nodiscard]] const std::byte* l4() const { return bytes.data() + shape.l4; }
  [[nodiscard]] std::uint8_t tcp_flags() const { return byte_at(l4(), tcp::kFlags); }
};

std::span<const Bundle> Coalescer::collect(std::span<const ByteView> burst) {
  MAGNETAR_DCHECK(burst.size() <= kMost);
  burst_ = burst;
  count_ = 0;
  newest_.fill(kNone);
  for (std::uint8_t i = 0; i < burst.size(); ++i) {
    Packet packet{.number = i, .bytes = burst[i], .shape = {}};
    if (read_shape(packet.bytes, packet.shape)) {
      place(packet);
    } else {
      // Perhaps a fragment of some flow, or an error about it: nothing passes it.
      newest_.fill(kNone);
      begin_alone(i);
    }
  }
  return {bundles_.data(), count_};
}

// The place of a packet's flow: where its newest bundle is, or free, or another's that gives way.
std::uint8_t& Coalescer::slot_of(const Packet& packet) {
  const std::uint32_t home = hash_of(packet.bytes.data(), packet.shape);
  for (std::uint32_t probe = 0; probe < kProbes; ++probe) {
    std::uint8_t& slot = newest_[(home + probe) % kSlots];
    if (slot == kNone) return slot;
    const Bundle& bundle = bundles_[slot];
    if (same_flow(bundle, burst_[bundle.first].data(), packet.shape, packet.bytes.data()))
      return slot;
  }
  return newest_[home % kSlots];
}

void Coalescer::place(const Packet& packet) {
  std::uint8_t& newest = slot_of(packet);
  if (newest != kNone && join(bundles_[newest], packet)) return;
  constexpr std::uint8_t kEnds = tcp::kFin | tcp::kSyn | tcp::kRst | tcp::kPsh | tcp::kUrg;
  const Shape& shape = packet.shape;
  const bool open = shape.payload > 0 && (shape.tcp ? rules_.tcp : rules_.udp) &&
                    (!shape.tcp || (packet.tcp_flags() & kEnds) == 0);
  // Whatever was here takes no more.
  newest = static_cast<std::uint8_t>(count_);
  begin(packet, open);
}

bool Coalescer::join(Bundle& bundle, const Packet& packet) {
  const Shape& shape = packet.shape;
  const ByteView first = burst_[bundle.first];
  // The place may be another flow's.
  if (!bundle.open || !same_flow(bundle, first.data(), shape, packet.bytes.data())) return false;
  const std::byte* a = first.data();
  const std::byte* b = packet.bytes.data();
  const std::size_t total = std::size_t{bundle.headers} + bundle.payload + shape.payload;
  if (shape.payload == 0 || shape.payload > bundle.gso_size || shape.headers != bundle.headers ||
      total > kLongest || !same_ip(a, b, shape.v4))
    return false;
  if (shape.v4) {
    const auto id = load_be_at<std::uint16_t>(a + ipv4::kId);
    if (load_be_at<std::uint16_t>(b + ipv4::kId) != static_cast<std::uint16_t>(id + bundle.packets))
      return false;
  }
  std::uint8_t flags = 0;
  if (shape.tcp) {
    const std::byte* head = a + shape.l4;
    const auto expected = load_be_at<std::uint32_t>(head + tcp::kSequence) + bundle.payload;
    if (load_be_at<std::uint32_t>(packet.l4() + tcp::kSequence) != expected ||
        !same_tcp(head, packet.l4(), shape.headers - std::size_t{shape.l4}))
      return false;
    flags = packet.tcp_flags() & (tcp::kFin | tcp::kPsh);
  }
  // The kernel will take the whole for verified.
  if (!bundle.verified && !checksums_hold(first, shape.v4, shape.tcp, shape.l4)) {
    bundle.open = false;
    return false;
  }
  bundle.verified = true;
  if (!checksums_hold(packet.bytes, shape.v4, shape.tcp, shape.l4)) return false;
  next_[bundle.last] = packet.number;
  bundle.last = packet.number;
  ++bundle.packets;
  bundle.payload += shape.payload;
  bundle.closing_flags = flags;
  bundle.open = shape.payload == bundle.gso_size && flags == 0;
  return true;
}

void Coalescer::begin(const Packet& packet, bool open) {
  bundles_[count_++] = {.first = packet.number,
                        .last = packet.number,
                        .packets = 1,
                        .open = open,
                        .v4 = packet.shape.v4,
                        .tcp = packet.shape.tcp,
                        .l4 = packet.shape.l4,
                        .headers = packet.shape.headers,
                        .gso_size = packet.shape.payload,
                        .payload = packet.shape.payload};
}

void Coalescer::begin_alone(std::uint8_t number) {
  bundles_[count_++] = {.first = number, .last = number, .packets = 1};
}

VnetHeader Coalescer::write_headers(const Bundle& bundle, ByteView first, std::byte* to) {
  std::memcpy(to, first.data(), bundle.headers);
  const std::size_t size = bundle.headers + bundle.payload;
  const std::size_t l4_size = size - bundle.l4;
  std::byte* const l4 = to + bundle.l4;
  VnetHeader header{
      .flags = VnetHeader::kNeedsChecksum,
      .gso_type = VnetHeader::kGsoUdp,
      .header_size = bundle.headers,
      .gso_size = bundle.gso_size,
      .checksum_start = bundle.l4,
      .checksum_offset = static_cast<std::uint16_t>(bundle.tcp ? tcp::kChecksum : udp::kChecksum)};
  if (bundle.v4) {
    store_be_at(to + ipv4::kTotalLength, static_cast<std::uint16_t>(size));
    store_raw(to + ipv4::kChecksum, 0);
    store_raw(to + ipv4::kChecksum, static_cast<std::uint16_t>(~fold(sum_of({to, bundle.l4}))));
  } else {
    store_be_at(to + ipv6::kPayloadLength, static_cast<std::uint16_t>(size - ipv6::kSize));
  }
  if (bundle.tcp) {
    header.gso_type = bundle.v4 ? VnetHeader::kGsoTcpV4 : VnetHeader::kGsoTcpV6;
    l4[tcp::kFlags] |= std::byte{bundle.closing_flags};
    if ((l4[tcp::kFlags] & std::byte{tcp::kCwr}) != std::byte{0})
      header.gso_type |= VnetHeader::kGsoEcn;
  } else {
    store_be_at(l4 + udp::kLength, static_cast<std::uint16_t>(l4_size));
  }
  // Not complemented: the sum over the rest is still to come.
  store_raw(l4 + header.checksum_offset, fold(pseudo_header(to, bundle.v4, bundle.tcp, l4_size)));
  return header;
}

}  // namespace magnetar::offload
