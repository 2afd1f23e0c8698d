// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/routed_queue.h"

#include <algorithm>
#include <cstring>

#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "dataplane/offload/checksum.h"
#include "dataplane/offload/headers.h"
#include "dataplane/packet/fragment.h"

namespace magnetar {
namespace {

namespace ipv4 = offload::ipv4;
namespace ipv6 = offload::ipv6;

constexpr std::size_t kEthernet = 14;
constexpr std::uint16_t kTypeIpv4 = 0x0800;
constexpr std::uint16_t kTypeIpv6 = 0x86dd;
constexpr std::size_t kDataAhead = 4;

// Without the padding behind it. Empty: not a whole IP packet.
ByteView packet_in(ByteView frame) {
  if (frame.size() < kEthernet + ipv4::kSize) return {};
  const std::uint16_t type = load_be_at<std::uint16_t>(&frame[12]);
  const ByteView rest = frame.subspan(kEthernet);
  if (type != (wire::says_ipv6(rest.data()) ? kTypeIpv6 : kTypeIpv4)) return {};
  std::size_t length = 0;
  if (type == kTypeIpv4)
    length = load_be_at<std::uint16_t>(&rest[ipv4::kTotalLength]);
  else if (type == kTypeIpv6 && rest.size() >= ipv6::kSize)
    length = ipv6::kSize + load_be_at<std::uint16_t>(&rest[ipv6::kPayloadLength]);
  return length <= rest.size() ? rest.first(length) : ByteView{};
}

bool header_sum_is_right(ByteView packet) {
  const std::size_t header = (std::to_integer<std::size_t>(packet[0]) & 0xfU) * 4;
  return offload::fold(offload::sum_of(packet.first(header))) == 0xffff;
}

std::byte& ttl_of(std::byte* packet, bool v4) { return packet[v4 ? ipv4::kTtl : ipv6::kHopLimit]; }

// One less, and the sum with it (RFC 1624).
void lower_ttl(std::byte* packet, bool v4) {
  std::byte& ttl = ttl_of(packet, v4);
  ttl = static_cast<std::byte>(std::to_integer<unsigned>(ttl) - 1);
  if (!v4) return;
  const std::uint32_t sum = load_be_at<std::uint16_t>(packet + ipv4::kChecksum) + 0x0100U;
  store_be_at(packet + ipv4::kChecksum, static_cast<std::uint16_t>(sum + (sum >= 0xffffU ? 1 : 0)));
}

}  // namespace

RoutedQueue::RoutedQueue(std::unique_ptr<PortQueue> port, const RoutedParts& parts)
    : port_(std::move(port)), parts_(parts) {}

RoutedQueue::~RoutedQueue() {
  rte_pktmbuf_free_bulk(answers_.data(), static_cast<unsigned>(answer_count_));
}

std::uint16_t RoutedQueue::receive(std::span<rte_mbuf*> into) {
  if (parts_.frames != nullptr) send_frames_of_kernel();
  std::uint16_t kept = 0;
  if (answer_count_ > 0) [[unlikely]] {
    const std::size_t count = std::min(answer_count_, into.size());
    std::copy_n(answers_.begin(), count, into.begin());
    std::copy(answers_.begin() + static_cast<std::ptrdiff_t>(count),
              answers_.begin() + static_cast<std::ptrdiff_t>(answer_count_), answers_.begin());
    answer_count_ -= count;
    kept = static_cast<std::uint16_t>(count);
  }
  if (parts_.packets != nullptr && !parts_.packets->empty())
    kept = static_cast<std::uint16_t>(kept + parts_.packets->dequeue_burst(into.subspan(kept)));
  if (kept == into.size()) return kept;
  const std::uint16_t got = port_->receive(into.subspan(kept));
  if (got == 0) return kept;
  const Facts& facts = *parts_.facts.load(std::memory_order_acquire);
  const std::span<rte_mbuf*> fresh = into.subspan(kept, got);
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    if (i + kDataAhead < fresh.size())
      rte_prefetch0(rte_pktmbuf_mtod(fresh[i + kDataAhead], void*));
    rte_mbuf* mbuf = fresh[i];
    const std::uint32_t size = mbuf->pkt_len;
    const Fate fate = come_in(*mbuf, facts);
    if (fate.verdict == Verdict::kForward) {
      into[kept++] = mbuf;
      continue;
    }
    // The pipeline counts what it gets.
    parts_.stats.inside.rx_packets.add(1);
    parts_.stats.inside.rx_bytes.add(size);
    settle(mbuf, fate);
  }
  return kept;
}

RoutedQueue::Fate RoutedQueue::to_kernel() const {
  return parts_.twin ? Fate{Verdict::kPunted, PuntKind::kInsideFrame} : Fate{Verdict::kNotOurs};
}

RoutedQueue::Fate RoutedQueue::come_in(rte_mbuf& mbuf, const Facts& facts) {
  const ByteView frame = view_of(mbuf);
  wire::InnerView inner;
  const ByteView packet = mbuf.nb_segs == 1 ? packet_in(frame) : ByteView{};
  if (packet.empty() || std::memcmp(frame.data(), parts_.mac.data(), parts_.mac.size()) != 0 ||
      !wire::parse_inner(packet, inner))
    return to_kernel();
  const std::byte* const to = inner.destination;
  if (!facts.overlay_networks.contains(to, inner.v4) || facts.own_overlay.contains(to, inner.v4) ||
      facts.overlay_broadcast.contains(to, inner.v4))
    return to_kernel();
  if (inner.v4 && !header_sum_is_right(packet)) return {Verdict::kInsideMalformed};
  std::byte* const data = data_of(mbuf) + kEthernet;
  set_data(mbuf, data, packet.size());
  if (std::to_integer<unsigned>(ttl_of(data, inner.v4)) <= 1) {
    answer_from_port(mbuf, facts);
    return {Verdict::kTtlExceeded};
  }
  lower_ttl(data, inner.v4);
  return {};
}

std::uint16_t RoutedQueue::prepare(std::span<rte_mbuf*> packets) {
  const Facts& facts = *parts_.facts.load(std::memory_order_acquire);
  std::uint16_t kept = 0;
  for (rte_mbuf* mbuf : packets) {
    const Fate fate = go_out(*mbuf, facts);
    if (fate.replaced)
      rte_pktmbuf_free(mbuf);
    else if (fate.verdict == Verdict::kForward)
      packets[kept++] = mbuf;
    else
      settle(mbuf, fate);
  }
  return kept;
}

// A whole IP packet, which the pipeline has looked at.
RoutedQueue::Fate RoutedQueue::go_out(rte_mbuf& mbuf, const Facts& facts) {
  std::byte* const packet = data_of(mbuf);
  const bool v4 = !wire::says_ipv6(packet);
  const std::byte* const to = packet + (v4 ? ipv4::kAddresses + 4 : ipv6::kAddresses + 16);
  const Fib::Found found = parts_.fib.find(to, v4);
  // Where there is no route the kernel says so to the sender.
  if (found.way == Fib::Way::kKernel || found.way == Fib::Way::kNoRoute)
    return {Verdict::kPunted, PuntKind::kInsideLocal};
  if (std::to_integer<unsigned>(ttl_of(packet, v4)) <= 1) {
    answer_into_tunnel(mbuf, wire::IcmpError::kTimeExceeded, facts);
    return {Verdict::kTtlExceeded};
  }
  if (mbuf.data_len > parts_.mtu) {
    if (v4 && (load_be_at<std::uint16_t>(packet + ipv4::kFragment) & ipv4::kDontFragment) == 0)
      return split(mbuf, found);
    answer_into_tunnel(mbuf, wire::IcmpError::kTooBig, facts);
    return {Verdict::kInsideTooBig};
  }
  lower_ttl(packet, v4);
  return send_on(mbuf, found);
}

// As it is, to where its destination is found.
RoutedQueue::Fate RoutedQueue::send_on(rte_mbuf& mbuf, const Fib::Found& found) const {
  if (found.way == Fib::Way::kUnresolved) return {Verdict::kPunted, PuntKind::kInsideUnresolved};
  if (found.way != Fib::Way::kNeighbour) return {Verdict::kPunted, PuntKind::kInsideLocal};
  write_ethernet(mbuf, found.mac, !wire::says_ipv6(data_of(mbuf)));
  return {};
}

std::uint16_t RoutedQueue::prepare_own(std::span<rte_mbuf*> packets) {
  std::uint16_t kept = 0;
  for (rte_mbuf* mbuf : packets) {
    const std::byte* const packet = data_of(*mbuf);
    const bool v4 = !wire::says_ipv6(packet);
    const std::byte* const to = packet + (v4 ? ipv4::kAddresses + 4 : ipv6::kAddresses + 16);
    const Fate fate = send_on(*mbuf, parts_.fib.find(to, v4));
    if (fate.verdict == Verdict::kForward)
      packets[kept++] = mbuf;
    else
      settle(mbuf, fate);
  }
  return kept;
}

// In fragments, which leave at once: ahead of others of the burst.
RoutedQueue::Fate RoutedQueue::split(rte_mbuf& mbuf, const Fib::Found& found) {
  lower_ttl(data_of(mbuf), true);
  FragmentRoom room;
  const std::span<rte_mbuf*> parts = fragment_ipv4(mbuf, parts_.mtu, room);
  if (parts.empty()) return {Verdict::kInsideTooBig};
  parts_.stats.injected.add(parts.size() - 1);
  for (rte_mbuf* part : parts) {
    const Fate fate = send_on(*part, found);
    if (fate.verdict == Verdict::kForward)
      send_own(part);
    else
      settle(part, fate);
  }
  return {.replaced = true};
}

void RoutedQueue::write_ethernet(rte_mbuf& mbuf, const MacAddr& to, bool v4) const {
  std::byte* const frame = data_of(mbuf) - kEthernet;
  std::memcpy(frame, to.data(), to.size());
  std::memcpy(frame + to.size(), parts_.mac.data(), parts_.mac.size());
  store_be_at(frame + 2 * to.size(), v4 ? kTypeIpv4 : kTypeIpv6);
  set_data(mbuf, frame, mbuf.data_len + kEthernet);
}

void RoutedQueue::settle(rte_mbuf* mbuf, Fate fate) {
  WorkerStats& stats = parts_.stats;
  if (fate.verdict == Verdict::kPunted) {
    PuntMeta& meta = punt_meta(*mbuf);
    meta.kind = fate.kind;
    meta.worker = parts_.worker;
    const auto kind = static_cast<std::size_t>(fate.kind);
    if (parts_.rings.punt(fate.kind, {&mbuf, 1}) == 1) return stats.punted[kind].add(1);
    stats.punt_dropped[kind].add(1);
    fate.verdict = Verdict::kPuntRingFull;
  }
  stats.drops[static_cast<std::size_t>(fate.verdict)].add(1);
  rte_pktmbuf_free(mbuf);
}

bool RoutedQueue::may_answer() { return limit_.take(coarse_now()); }

// With the room in front that an error takes; none: no memory.
rte_mbuf* RoutedQueue::copy_of(rte_mbuf& mbuf) {
  rte_mbuf* copy = rte_pktmbuf_alloc(mbuf.pool);
  if (copy == nullptr) return nullptr;
  std::memcpy(data_of(*copy), data_of(mbuf), mbuf.data_len);
  set_data(*copy, data_of(*copy), mbuf.data_len);
  return copy;
}

// To who sent a packet from the inside that may go no further. A frame of our own: it counts as
// injected, whatever becomes of it.
void RoutedQueue::answer_from_port(rte_mbuf& mbuf, const Facts& facts) {
  const bool v4 = !wire::says_ipv6(data_of(mbuf));
  const IpAddr& from = v4 ? facts.port_v4 : facts.port_v6;
  if (from.is_unspecified() || !may_answer()) return;
  rte_mbuf* answer = copy_of(mbuf);
  if (answer == nullptr) return;
  const MutableBytes error = wire::write_icmp_error(wire::IcmpError::kTimeExceeded, 0, from,
                                                    {data_of(*answer), answer->data_len});
  if (error.empty()) return rte_pktmbuf_free(answer);
  set_data(*answer, error.data(), error.size());
  parts_.stats.injected.add(1);
  if (prepare_own({&answer, 1}) == 1) send_own(answer);
}

// To who sent a packet through a tunnel: the error comes in as if from the inside, and finds the
// tunnel by itself.
void RoutedQueue::answer_into_tunnel(rte_mbuf& mbuf, wire::IcmpError what, const Facts& facts) {
  const bool v4 = !wire::says_ipv6(data_of(mbuf));
  const IpAddr& from = v4 ? facts.overlay_v4 : facts.overlay_v6;
  if (from.is_unspecified() || answer_count_ == answers_.size() || !may_answer()) return;
  rte_mbuf* answer = copy_of(mbuf);
  if (answer == nullptr) return;
  const MutableBytes error =
      wire::write_icmp_error(what, parts_.mtu, from, {data_of(*answer), answer->data_len});
  if (error.empty()) return rte_pktmbuf_free(answer);
  set_data(*answer, error.data(), error.size());
  answers_[answer_count_++] = answer;
}

void RoutedQueue::send_own(rte_mbuf* frame) {
  const std::uint32_t size = frame->pkt_len;
  if (port_->transmit({&frame, 1}) == 1) {
    parts_.stats.inside.tx_packets.add(1);
    parts_.stats.inside.tx_bytes.add(size);
  } else {
    settle(frame, {Verdict::kInsideFull});
  }
}

void RoutedQueue::send_frames_of_kernel() {
  if (parts_.frames->empty()) return;
  std::array<rte_mbuf*, kBurst> frames;
  const unsigned count = parts_.frames->dequeue_burst(frames);
  parts_.stats.injected.add(count);
  for (rte_mbuf* frame : std::span(frames.data(), count)) send_own(frame);
}

}  // namespace magnetar
