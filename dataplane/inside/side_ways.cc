// SPDX-License-Identifier: Apache-2.0
// What is too big for its tunnel: it leaves in pieces, or its sender is told what fits.
#include <algorithm>

#include <rte_mbuf.h>

#include "dataplane/inside/pipeline.h"
#include "dataplane/offload/headers.h"
#include "dataplane/packet/fragment.h"
#include "dataplane/wire/inner_packet.h"
#include "dataplane/wire/mss.h"

namespace magnetar {
namespace {

namespace ipv4 = offload::ipv4;

std::size_t carries(const SessionHot& session, const Facts& facts) {
  return session.remote.load(std::memory_order_acquire)->carries(facts.outside_mtu);
}

// Who says so: the port that the packet came in by. A kernel takes no packet from an address of its
// own, so that to ours, and where the inside is no port, it is the far end of the tunnel.
IpAddr speaker(const wire::InnerView& inner, const Facts& facts) {
  const IpAddr& port = inner.v4 ? facts.port_v4 : facts.port_v6;
  if (port.is_unspecified() || facts.own_overlay.contains(inner.source, inner.v4))
    return inner.destination_addr();
  return port;
}

}  // namespace

bool InsidePipeline::is_too_big(const Outbound& packet, const SessionHot& session,
                                const Facts& facts) {
  return packet.length > carries(session, facts);
}

bool InsidePipeline::may_split(const Outbound& packet) {
  return !wire::says_ipv6(packet.text) &&
         (load_be_at<std::uint16_t>(packet.text + ipv4::kFragment) & ipv4::kDontFragment) == 0;
}

// Drops it; its buffer takes the error about it, a packet of our own.
void InsidePipeline::refuse(const Outbound& packet, const SessionHot& session, const Facts& facts) {
  if (!limit_.take(coarse_now()) || !write_error(*packet.mbuf, carries(session, facts), facts))
    return exits_.drop(packet.mbuf, Verdict::kTooBig);
  context_.stats.drops[static_cast<std::size_t>(Verdict::kTooBig)].add(1);
  context_.stats.injected.add(1);
  errors_[error_count_++] = packet.mbuf;
}

bool InsidePipeline::write_error(rte_mbuf& mbuf, std::size_t mtu, const Facts& facts) {
  wire::InnerView inner;
  if (rte_pktmbuf_headroom(&mbuf) < wire::kIcmpErrorRoom ||
      !wire::parse_inner(view_of(mbuf), inner))
    return false;
  const MutableBytes error =
      wire::write_icmp_error(wire::IcmpError::kTooBig, static_cast<std::uint16_t>(mtu),
                             speaker(inner, facts), {data_of(mbuf), mbuf.data_len});
  if (error.empty()) return false;
  set_data(mbuf, error.data(), error.size());
  return true;
}

void InsidePipeline::send_errors() {
  transmit_own(context_.inside, context_.stats.inside, {errors_.data(), error_count_}, exits_,
               Verdict::kInsideFull);
  error_count_ = 0;
  exits_.settle();
}

// After the rest of the burst, the errors about it; then, in bursts of their own, what waits.
void InsidePipeline::send_aside(const Facts& facts, StageClock& clock) {
  send_errors();
  std::array<Outbound, kBurst> all;
  std::ranges::copy(waiting_, all.begin());
  std::span<const Outbound> rest(all.data(), waiting_.size());
  while (!rest.empty()) {
    rest = rest.subspan(refill(rest, facts));
    route(facts);
    // The peer has moved to where less fits.
    for (const Outbound& packet : waiting_) exits_.drop(packet.mbuf, Verdict::kTooBig);
    leave(facts, clock);
    send_errors();
  }
  waiting_ = {};
}

// Makes the front of `from` the next burst, in pieces what has to be split. Returns how many it
// took, at least one.
std::size_t InsidePipeline::refill(std::span<const Outbound> from, const Facts& facts) {
  size_ = 0;
  std::size_t taken = 0;
  for (const Outbound& packet : from) {
    const SessionHot* session = sessions_[packet.destination];
    const bool whole =
        session == nullptr || !is_too_big(packet, *session, facts) || !may_split(packet);
    if (whole && size_ == kBurst) break;
    if (whole)
      burst_[size_++] = packet;
    else if (!split(packet, carries(*session, facts)))
      break;
    ++taken;
  }
  return taken;
}

// False: no room in this burst.
bool InsidePipeline::split(const Outbound& packet, std::size_t mtu) {
  const std::size_t header = (byte_at(packet.text, 0) & 0xfU) * std::size_t{4};
  const std::size_t expected = fragments_of(packet.length, header, mtu);
  if (expected <= kMostFragments && size_ + expected > kBurst) return false;
  FragmentRoom room;
  const std::span<rte_mbuf*> parts =
      fragment_ipv4(*packet.mbuf, static_cast<std::uint16_t>(mtu), room);
  if (parts.empty()) {
    exits_.drop(packet.mbuf, Verdict::kTooBig);
    exits_.settle();  // they have room for a burst
    return true;
  }
  context_.stats.injected.add(parts.size() - 1);
  rte_pktmbuf_free(packet.mbuf);
  for (rte_mbuf* part : parts)
    burst_[size_++] = {.mbuf = part,
                       .text = data_of(*part),
                       .length = part->data_len,
                       .destination = packet.destination,
                       .group = 0};
  return true;
}

void InsidePipeline::clamp_mss(const Facts& facts) {
  for (const Outbound& packet : std::span(burst_.data(), size_))
    wire::clamp_mss({packet.text, packet.length},
                    groups_[packet.group].remote->carries(facts.outside_mtu));
}

}  // namespace magnetar
