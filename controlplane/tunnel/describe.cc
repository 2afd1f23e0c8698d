// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/describe.h"

namespace magnetar {
namespace {

void describe(const UnderlayAddr& addr, DigestSink& sink) {
  sink.value(addr.ip.mapped());
  sink.number(addr.port);
}

void describe(const std::vector<QueuedPacket>& queue, DigestSink& sink) {
  sink.number(queue.size());
  for (const QueuedPacket& one : queue) {
    sink.value(one.packet);
    sink.number(one.worker);
  }
}

void describe(const Tunnel& tunnel, Now now, DigestSink& sink) {
  sink.label("tunnel");
  sink.index(tunnel.local.raw());
  sink.index(tunnel.remote.raw());
  sink.value(tunnel.identity->certificate.fingerprint.bytes);
  sink.value(tunnel.peer->fingerprint.bytes);
  describe(tunnel.remote_addr, sink);
  sink.stamp(tunnel.peer_time_ns);
  sink.number(tunnel.confirmed ? 1 : 0);
  sink.number(tunnel.in ? 1 : 0);
  sink.number(tunnel.out ? 1 : 0);
  sink.number(tunnel.doomed ? 1 : 0);
  sink.number(tunnel.tested ? 1 : 0);
  sink.number(tunnel.asked ? 1 : 0);
  sink.number(tunnel.own_version);
  sink.number(tunnel.upgrade_tried ? 1 : 0);
  sink.timer(tunnel.check_at - now.steady);
  sink.timer(tunnel.preferred_at - now.steady);
  sink.timer(tunnel.since - now.steady);
  sink.timer(tunnel.poll);
  sink.number(tunnel.answer.has_value() ? 1 : 0);
  if (tunnel.answer) {
    sink.opaque(tunnel.answer->stage_1);
    sink.opaque(tunnel.answer->stage_2);
  }
  sink.number(tunnel.roamed.has_value() ? 1 : 0);
  if (tunnel.roamed) {
    describe(tunnel.roamed->from, sink);
    sink.timer(tunnel.roamed->at - now.steady);
  }
}

void describe(const Pending& pending, Now now, DigestSink& sink) {
  sink.label("pending");
  sink.value(pending.target.ip.mapped());
  sink.index(pending.initiator.local().raw());
  sink.opaque(pending.initiator.stage_1());
  sink.value(pending.initiator.identity()->certificate.fingerprint.bytes);
  sink.number(pending.initiator.version());
  sink.timer(pending.due - now.steady);
  sink.number(pending.sends);
  describe(pending.queue, sink);
  sink.label("learned");
  for (const UnderlayAddr& addr : pending.learned) describe(addr, sink);
  sink.number(pending.last_refused ? 1 + static_cast<std::uint64_t>(*pending.last_refused) : 0);
}

}  // namespace

void describe_state(const Core& core, Now now, DigestSink& sink) {
  // By overlay address and then in the order of preference: local indexes are random.
  sink.label("tunnels");
  for (const auto& [addr, list] : core.tunnels.by_addr()) {
    sink.value(addr.ip.mapped());
    sink.number(list.size());
    for (const Tunnel* const tunnel : list) describe(*tunnel, now, sink);
  }
  sink.label("pendings");
  for (const auto& [target, pending] : core.pending.by_target()) describe(pending, now, sink);
  sink.label("stood down");
  for (const auto& [target, pending] : core.stood_down.by_target()) describe(pending, now, sink);
  sink.label("newest times");
  for (const auto& [peer, newest] : core.newest_times.peers().entries()) {
    sink.value(peer.ip.mapped());
    sink.stamp(newest.time_ns);
    sink.timer(newest.noted - now.steady);
  }
  sink.label("wrong addresses");
  for (const auto& [peer, addrs] : core.wrong_addresses.peers().entries()) {
    sink.value(peer.ip.mapped());
    for (const auto& [addr, since] : addrs) {
      describe(addr, sink);
      sink.timer(since - now.steady);
    }
  }
  sink.label("self");
  sink.value(core.identity->certificate.fingerprint.bytes);
  sink.stamp(core.last_stamp());
}

}  // namespace magnetar
