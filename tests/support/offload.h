// SPDX-License-Identifier: Apache-2.0
// Packets for segmenting and coalescing, and the law that binds the two: what is put together comes
// apart into the same bytes.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/base/addr.h"
#include "dataplane/base/bytes.h"
#include "dataplane/offload/coalesce.h"
#include "dataplane/offload/headers.h"
#include "dataplane/offload/segment.h"

namespace magnetar::testing {

// RFC 1071 word by word, sharing nothing with the code under test. Big-endian, not complemented.
inline std::uint16_t plain_sum(ByteView bytes, std::uint32_t start = 0) {
  std::uint64_t sum = start;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    sum += std::to_integer<std::uint64_t>(bytes[i]) << (i % 2 == 0 ? 8U : 0U);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16U);
  return static_cast<std::uint16_t>(sum);
}

struct TransportPlace {
  bool v4;
  bool tcp;
  std::size_t l4;
};
// Of TCP or UDP right behind a plain IP header.
inline std::optional<TransportPlace> place_of(ByteView packet) {
  if (packet.size() >= 20 && packet[0] == std::byte{0x45}) {
    const bool tcp = packet[9] == std::byte{6};
    if (!tcp && packet[9] != std::byte{17}) return std::nullopt;
    if (packet.size() < std::size_t{tcp ? 40U : 28U}) return std::nullopt;
    return TransportPlace{true, tcp, 20};
  }
  if (packet.size() >= 40 && (packet[0] >> 4) == std::byte{6}) {
    const bool tcp = packet[6] == std::byte{6};
    if (!tcp && packet[6] != std::byte{17}) return std::nullopt;
    if (packet.size() < std::size_t{tcp ? 60U : 48U}) return std::nullopt;
    return TransportPlace{false, tcp, 40};
  }
  return std::nullopt;
}

inline std::uint32_t pseudo_sum(ByteView packet, const TransportPlace& at, std::size_t l4_size) {
  const ByteView addresses = at.v4 ? packet.subspan(12, 8) : packet.subspan(8, 32);
  return plain_sum(addresses) + (at.tcp ? 6U : 17U) + static_cast<std::uint32_t>(l4_size);
}

// Whether the checksums of a TCP or UDP packet are right.
inline bool checksums_right(ByteView packet) {
  const auto at = place_of(packet);
  if (!at) return false;
  if (at->v4 && plain_sum(packet.first(20)) != 0xffff) return false;
  const ByteView l4 = packet.subspan(at->l4);
  return plain_sum(l4, pseudo_sum(packet, *at, l4.size())) == 0xffff;
}

// Makes lengths and checksums of a TCP or UDP packet right, or only those of the pseudo header as
// the kernel leaves them to a device that offers to finish them. Other packets stay.
inline void finish(MutableBytes packet, bool pseudo_only = false) {
  const auto at = place_of(packet);
  if (!at) return;
  const std::size_t l4_size = packet.size() - at->l4;
  std::byte* const l4 = packet.data() + at->l4;
  if (at->v4) {
    store_be_at(&packet[2], static_cast<std::uint16_t>(packet.size()));
    store_be_at(&packet[10], std::uint16_t{0});
    store_be_at(&packet[10], static_cast<std::uint16_t>(~plain_sum(packet.first(20))));
  } else {
    store_be_at(&packet[4], static_cast<std::uint16_t>(l4_size));
  }
  if (!at->tcp) store_be_at(l4 + 4, static_cast<std::uint16_t>(l4_size));
  std::byte* const field = l4 + (at->tcp ? 16 : 6);
  store_be_at(field, std::uint16_t{0});
  const std::uint32_t pseudo = pseudo_sum(packet, *at, l4_size);
  auto checksum = static_cast<std::uint16_t>(~plain_sum(packet.subspan(at->l4), pseudo));
  if (!at->tcp && checksum == 0) checksum = 0xffff;
  if (pseudo_only) checksum = plain_sum({}, pseudo);
  store_be_at(field, checksum);
}

// What a sender writes; finish() is called last.
struct PacketSpec {
  bool v4 = true;
  bool tcp = true;
  std::uint8_t tos = 0;
  std::uint8_t ttl = 64;
  std::uint16_t fragment = 0x4000;
  std::uint16_t id = 100;
  std::uint16_t source_port = 1000;
  std::uint16_t destination_port = 2000;
  std::uint32_t sequence = 5000;
  std::uint32_t ack = 77;
  std::uint8_t flags = 0x10;  // ACK
  std::uint16_t window = 500;
  Bytes options;  // of TCP, in whole words
  std::size_t payload = 100;
  std::uint8_t seed = 1;
};

inline Bytes packet_of(const PacketSpec& spec) {
  const std::size_t ip = spec.v4 ? 20 : 40;
  const std::size_t l4 = spec.tcp ? 20 + spec.options.size() : 8;
  Bytes packet(ip + l4 + spec.payload);
  const auto protocol = static_cast<std::byte>(spec.tcp ? 6 : 17);
  if (spec.v4) {
    packet[0] = std::byte{0x45};
    packet[1] = std::byte{spec.tos};
    store_be_at(&packet[4], spec.id);
    store_be_at(&packet[6], spec.fragment);
    packet[8] = std::byte{spec.ttl};
    packet[9] = protocol;
    store_be_at(&packet[12], 0x0a2a0001U);
    store_be_at(&packet[16], 0x0a2a0002U);
  } else {
    store_be_at(&packet[0], 0x60000000U | std::uint32_t{spec.tos} << 20U | 0x12345U);
    packet[6] = protocol;
    packet[7] = std::byte{spec.ttl};
    packet[8] = packet[24] = std::byte{0xfd};
    packet[23] = std::byte{1};
    packet[39] = std::byte{2};
  }
  store_be_at(&packet[ip], spec.source_port);
  store_be_at(&packet[ip + 2], spec.destination_port);
  if (spec.tcp) {
    store_be_at(&packet[ip + 4], spec.sequence);
    store_be_at(&packet[ip + 8], spec.ack);
    packet[ip + 12] = static_cast<std::byte>(l4 / 4 << 4U);
    packet[ip + 13] = std::byte{spec.flags};
    store_be_at(&packet[ip + 14], spec.window);
    std::ranges::copy(spec.options, packet.begin() + static_cast<std::ptrdiff_t>(ip + 20));
  }
  for (std::size_t i = 0; i < spec.payload; ++i)
    packet[ip + l4 + i] = static_cast<std::byte>(spec.seed * 31U + i * 7U + (i >> 8U));
  finish(packet);
  return packet;
}

inline std::vector<ByteView> views_of(const std::vector<Bytes>& packets) {
  return {packets.begin(), packets.end()};
}

// The packets of a bundle, in order.
inline std::vector<std::uint8_t> members_of(const offload::Coalescer& coalescer,
                                            const offload::Bundle& bundle) {
  std::vector<std::uint8_t> out{bundle.first};
  while (out.back() != bundle.last) out.push_back(coalescer.next(out.back()));
  return out;
}

// What is written to the device for a bundle of several.
struct Whole {
  offload::VnetHeader header;
  Bytes packet;
};
inline Whole whole_of(const offload::Coalescer& coalescer, const offload::Bundle& bundle,
                      const std::vector<Bytes>& burst) {
  Whole whole;
  whole.packet.resize(offload::Coalescer::kMostHeaders);
  whole.header =
      offload::Coalescer::write_headers(bundle, burst[bundle.first], whole.packet.data());
  whole.packet.resize(bundle.headers);
  for (const std::uint8_t member : members_of(coalescer, bundle))
    append(whole.packet, ByteView(burst[member]).subspan(bundle.headers));
  return whole;
}

// None: it does not fit together.
inline std::optional<std::vector<Bytes>> segments_of(const offload::VnetHeader& header,
                                                     ByteView packet, std::size_t room = 65535) {
  offload::Segmenter segmenter;
  if (!segmenter.start(header, packet, room)) return std::nullopt;
  std::vector<Bytes> out;
  while (!segmenter.done()) {
    const std::size_t left = segmenter.left();
    Bytes segment(room);
    segment.resize(segmenter.next(segment.data()));
    out.push_back(std::move(segment));
    if (segmenter.left() + 1 != left && !segmenter.done()) return std::nullopt;
  }
  return out;
}

// Empty: every packet of the burst is in one bundle once, no packet is before one of its own flow
// that came earlier, and bundles come apart into what went in. Else what is wrong.
std::string broken_law(const std::vector<Bytes>& burst, offload::CoalesceRules rules = {});

inline std::string broken_law(const std::vector<Bytes>& burst, offload::CoalesceRules rules) {
  offload::Coalescer coalescer(rules);
  const std::vector<ByteView> views = views_of(burst);
  std::vector<std::uint8_t> order;
  for (const offload::Bundle& bundle : coalescer.collect(views)) {
    const auto members = members_of(coalescer, bundle);
    if (members.size() != bundle.packets) return "a bundle that counts itself wrong";
    order.insert(order.end(), members.begin(), members.end());
    if (members.size() == 1) continue;
    const Whole whole = whole_of(coalescer, bundle, burst);
    if (whole.packet.size() > 65535 + (bundle.v4 ? 0U : 40U)) return "a whole that is too long";
    const auto segments = segments_of(whole.header, whole.packet);
    if (!segments) return "a whole that the segmenter refuses";
    if (segments->size() != members.size()) return "another number of packets";
    for (std::size_t i = 0; i < members.size(); ++i)
      if ((*segments)[i] != burst[members[i]]) return "other bytes";
  }
  std::vector<std::uint8_t> sorted = order;
  std::ranges::sort(sorted);
  for (std::size_t i = 0; i < burst.size(); ++i)
    if (sorted.size() != burst.size() || sorted[i] != i) return "a packet lost or doubled";
  // Between two of one flow none has changed places; what has no ports keeps its place among all.
  const auto flow = [&](std::uint8_t i) -> Bytes {
    const auto at = place_of(burst[i]);
    if (!at) return {};
    const ByteView key = ByteView(burst[i]).subspan(at->v4 ? 12 : 8);
    Bytes out = to_vector(key.first((at->v4 ? 8U : 32U) + 4U));
    out.push_back(static_cast<std::byte>(at->tcp));
    return out;
  };
  for (std::size_t i = 0; i < order.size(); ++i)
    for (std::size_t j = i + 1; j < order.size(); ++j) {
      if (order[i] < order[j]) continue;
      const Bytes a = flow(order[i]);
      if (a.empty() || a == flow(order[j])) return "packets of one flow changed places";
    }
  return {};
}

}  // namespace magnetar::testing
