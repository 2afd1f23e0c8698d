// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/nebula.h"

#include <algorithm>
#include <utility>

#include "controlplane/handshake/transport_aead.h"
#include "tests/support/mint.h"

namespace magnetar::sim {
namespace {

ByteView body_of(ByteView packet) { return packet.subspan(wire::Header::kSize); }

}  // namespace

Nebula::Nebula(Net& net, std::string name, std::shared_ptr<const Identity> identity,
               UnderlayAddr underlay, std::uint64_t seed, std::uint32_t retries)
    : Host(net, std::move(name), std::move(identity), underlay, Cipher::kAes256Gcm, seed),
      retries_(retries) {}

void Nebula::restart() {
  sessions_.clear();
  tunnels_.clear();
  by_peer_.clear();
  pending_.clear();
}

void Nebula::set_remotes(const VpnAddr& peer, std::vector<UnderlayAddr> remotes) {
  remotes_[peer] = std::move(remotes);
}

LocalIndex Nebula::draw_index() {
  std::array<std::byte, 4> bytes;
  random_.fill(bytes);
  return LocalIndex{load_be<std::uint32_t>(bytes)};
}

EphemeralPrivateKey Nebula::draw_ephemeral() {
  EphemeralPrivateKey key;
  random_.fill(key.fill());
  return key;
}

std::uint64_t Nebula::stamp() {
  const auto ns = static_cast<std::uint64_t>(net_.now().wall.time_since_epoch().count());
  last_stamp_ = std::max(last_stamp_ + 1, ns);
  return last_stamp_;
}

// --- Handshakes we start -------------------------------------------------------------------

void Nebula::send(const VpnAddr& to, std::string_view text) {
  if (Tunnel* const tunnel = primary(to)) {
    send_in(*tunnel, wire::MessageType::kMessage, 0, as_bytes(text));
    return net_.wake(*this, next_timeout());
  }
  const bool fresh = !pending_.contains(to);
  Pending& pending = fresh ? start(to) : pending_.at(to);
  pending.queue.emplace_back(text);
  if (fresh) transmit(to);  // a static address: the trigger
  net_.wake(*this, next_timeout());
}

Nebula::Pending& Nebula::start(const VpnAddr& target) {
  handshake::Initiator initiator(
      {.identity = identity_, .cipher = cipher_, .local = draw_index(), .time_ns = stamp()},
      draw_ephemeral());
  const auto [at, fresh] = pending_.emplace(
      target, Pending{.initiator = std::move(initiator), .due = net_.now().steady});
  return at->second;
}

void Nebula::transmit(const VpnAddr& target) {
  Pending& pending = pending_.at(target);
  if (pending.sends >= retries_) {
    count_ended("timeout");
    for (std::size_t i = 0; i < pending.queue.size(); ++i) count_refused("queue_lost");
    pending_.erase(target);
    return;
  }
  ++pending.sends;
  for (const UnderlayAddr& to : remotes_[target]) {
    if (std::ranges::find(pending.blocked, to) == pending.blocked.end())
      net_.transmit({.from = underlay(), .to = to, .bytes = pending.initiator.stage_1()});
  }
  pending.due = net_.now().steady + kTryInterval * pending.sends;
}

void Nebula::on_stage_2(const Datagram& datagram, LocalIndex index) {
  const auto at = std::ranges::find_if(
      pending_, [&](const auto& entry) { return entry.second.initiator.local() == index; });
  if (at == pending_.end()) return count_refused("stage2_unknown");
  auto reply = at->second.initiator.read_stage_2(datagram.bytes);
  if (!reply) return count_refused("stage2_forged");
  const VpnAddr target = at->first;
  Pending done = std::move(at->second);
  pending_.erase(at);
  if (!handshake::verify(reply->claim.certificate, *identity_, net_.now().wall))
    return count_ended("certificate");
  const auto addrs = reply->claim.certificate.overlay_addrs();
  const VpnAddr peer = addrs.front();
  OpenSession facts{.local = index,
                    .remote = reply->claim.index,
                    .send_key = std::move(reply->transport.initiator_to_responder),
                    .receive_key = std::move(reply->transport.responder_to_initiator),
                    .remote_addr = datagram.from};
  if (std::ranges::find(addrs, target) != addrs.end()) {
    make_room(peer);
    Tunnel& tunnel = open({.local = index, .peer = peer, .peer_time_ns = reply->claim.time_ns},
                          addrs, std::move(facts));
    count_ended("ok");
    return flush(tunnel, std::move(done.queue));
  }
  count_ended("wrong_responder");
  if (closes_wrong_responder()) {
    Session broken{std::move(facts)};
    seal(broken, wire::MessageType::kCloseTunnel, 0, {});
  }
  Pending& next = start(target);
  next.blocked = std::move(done.blocked);
  next.blocked.push_back(datagram.from);
  next.queue = std::move(done.queue);
  transmit(target);
}

// --- Handshakes of peers -------------------------------------------------------------------

void Nebula::on_stage_1(const Datagram& datagram) {
  handshake::Responder responder(*identity_, cipher_);
  auto claim = responder.read_stage_1(datagram.bytes);
  if (!claim || !handshake::verify(claim->certificate, *identity_, net_.now().wall) ||
      handshake::is_ourselves(claim->certificate, *identity_))
    return count_refused("stage1");
  const auto addrs = claim->certificate.overlay_addrs();
  const VpnAddr peer = addrs.front();
  if (const Tunnel* const known = already_seen(peer, body_of(datagram.bytes)))
    return net_.transmit(
        {.from = underlay(), .to = datagram.from, .bytes = known->answer->stage_2});
  if (Tunnel* const now = primary(peer); now != nullptr && too_old(*now, claim->time_ns)) {
    count_refused("stage1_too_old");
    return send_test(*now);
  }
  const LocalIndex local = draw_index();
  auto written = responder.write_stage_2(*claim, local, stamp(), draw_ephemeral());
  if (!written) return count_refused("stage1");
  if (!yields_to(peer)) return count_refused("race_won");
  make_room(peer);
  Tunnel& tunnel = open({.local = local,
                         .peer = peer,
                         .peer_time_ns = claim->time_ns,
                         .answer = Answer{to_vector(body_of(datagram.bytes)), written->stage_2}},
                        addrs,
                        {.local = local,
                         .remote = claim->index,
                         .send_key = std::move(written->transport.responder_to_initiator),
                         .receive_key = std::move(written->transport.initiator_to_responder),
                         .remote_addr = datagram.from});
  net_.transmit({.from = underlay(), .to = datagram.from, .bytes = tunnel.answer->stage_2});
  flush(tunnel, std::exchange(moved_queue_, {}));
}

// --- Tunnels -------------------------------------------------------------------------------

Nebula::Tunnel& Nebula::open(Tunnel tunnel, const std::vector<VpnAddr>& addrs, OpenSession facts) {
  for (const VpnAddr& addr : addrs) first_of_[addr] = tunnel.peer;
  const LocalIndex local = tunnel.local;
  sessions_.emplace(local, Session{std::move(facts)});
  tunnel.check_at = net_.now().steady + kAliveInterval;
  auto& list = by_peer_[tunnel.peer];
  list.insert(list.begin(), local);
  return tunnels_.emplace(local, std::move(tunnel)).first->second;
}

void Nebula::flush(Tunnel& tunnel, std::vector<std::string> queue) {
  for (const std::string& text : queue)
    send_in(tunnel, wire::MessageType::kMessage, 0, as_bytes(text));
}

Nebula::Tunnel* Nebula::primary(const VpnAddr& peer) {
  const auto& list = all(peer);
  return list.empty() ? nullptr : &tunnels_.at(list.front());
}

const std::vector<LocalIndex>& Nebula::all(const VpnAddr& peer) const {
  static const std::vector<LocalIndex> kNone;
  const auto first = first_of_.find(peer);
  const auto list = by_peer_.find(first == first_of_.end() ? peer : first->second);
  return list == by_peer_.end() ? kNone : list->second;
}

void Nebula::make_primary(const Tunnel& tunnel) {
  auto& list = by_peer_.at(tunnel.peer);
  const auto at = std::ranges::find(list, tunnel.local);
  std::rotate(list.begin(), at, at + 1);
}

void Nebula::close(LocalIndex local) {
  const auto at = tunnels_.find(local);
  if (at == tunnels_.end()) return;
  auto& list = by_peer_.at(at->second.peer);
  std::erase(list, local);
  if (list.empty()) by_peer_.erase(at->second.peer);
  tunnels_.erase(at);
  sessions_.erase(local);
}

void Nebula::send_in(Tunnel& tunnel, wire::MessageType type, std::uint8_t subtype,
                     ByteView plaintext) {
  seal(sessions_.at(tunnel.local), type, subtype, plaintext);
  on_sent(tunnel);
}

void Nebula::send_test(Tunnel& tunnel) {
  send_in(tunnel, wire::MessageType::kTest, wire::kSubtypeTestRequest, {});
}

void Nebula::send_recv_error(std::uint32_t index, const UnderlayAddr& to) {
  Bytes packet(wire::Header::kSize);
  wire::write_header(std::span(packet).first<wire::Header::kSize>(),
                     {.type = wire::MessageType::kRecvError, .index = index});
  net_.transmit({.from = underlay(), .to = to, .bytes = std::move(packet)});
}

void Nebula::on_recv_error(const Datagram& datagram, std::uint32_t index) {
  const auto named = std::ranges::find_if(
      sessions_, [&](const auto& entry) { return entry.second.facts.remote.raw() == index; });
  if (named == sessions_.end()) return;
  Tunnel& tunnel = tunnels_.at(named->first);
  if (tunnel.recv_errors++ < tolerated_recv_errors()) return;
  if (named->second.facts.remote_addr != datagram.from) return;
  close(named->first);
}

void Nebula::receive(const Datagram& datagram) {
  const auto header = wire::parse_header(datagram.bytes);
  if (!header) return;
  const LocalIndex local{header->index};
  if (header->type == wire::MessageType::kHandshake) {
    if (header->counter == Counter{1})
      on_stage_1(datagram);
    else if (header->counter == Counter{2})
      on_stage_2(datagram, local);
  } else if (header->type == wire::MessageType::kRecvError) {
    on_recv_error(datagram, header->index);
  } else if (const auto session = sessions_.find(local); session != sessions_.end()) {
    on_data(session->second, *header, datagram);
  } else {
    count_refused("unknown_index");
    send_recv_error(header->index, datagram.from);
  }
  net_.wake(*this, next_timeout());
}

void Nebula::on_data(Session& session, const wire::Header& header, const Datagram& datagram) {
  if (session.seen.contains(header.counter.raw())) {
    count_refused("replayed");
    return on_replayed(header, datagram);
  }
  if (header.type == wire::MessageType::kCloseTunnel && trusts_any_close())
    return close(session.facts.local);
  const auto plain = handshake::open_packet(cipher_, session.facts.receive_key, datagram.bytes);
  if (!plain) {
    count_refused("forged");
    return on_unauthentic(session, header, datagram);
  }
  session.seen.insert(header.counter.raw());
  session.in = true;
  roam(session, datagram.from);
  if (header.type == wire::MessageType::kMessage) delivered.push_back(testing::to_text(*plain));
  if (header.type == wire::MessageType::kCloseTunnel) return close(session.facts.local);
  if (header.type == wire::MessageType::kTest && header.subtype == wire::kSubtypeTestRequest)
    send_in(tunnels_.at(session.facts.local), wire::MessageType::kTest, wire::kSubtypeTestReply,
            *plain);
}

// --- Time ----------------------------------------------------------------------------------

void Nebula::on_time() {
  const Instant now = net_.now().steady;
  std::vector<VpnAddr> due;
  for (const auto& [target, pending] : pending_)
    if (pending.due <= now) due.push_back(target);
  for (const VpnAddr& target : due) transmit(target);
  std::vector<LocalIndex> checks;
  for (const auto& [local, tunnel] : tunnels_)
    if (tunnel.check_at && *tunnel.check_at <= now) checks.push_back(local);
  for (const LocalIndex local : checks)
    if (const auto at = tunnels_.find(local); at != tunnels_.end()) check(at->second);
  net_.wake(*this, next_timeout());
}

std::optional<Instant> Nebula::next_timeout() const {
  std::optional<Instant> next;
  const auto consider = [&](Instant at) { next = next ? std::min(*next, at) : at; };
  for (const auto& [target, pending] : pending_) consider(pending.due);
  for (const auto& [local, tunnel] : tunnels_)
    if (tunnel.check_at) consider(*tunnel.check_at);
  return next;
}

const Session* Nebula::session_to(const VpnAddr& peer) const {
  const auto& list = all(peer);
  return list.empty() ? nullptr : &sessions_.at(list.front());
}

void Nebula::describe(DigestSink& sink) const {
  const Instant now = net_.now().steady;
  sink.label("nebula");
  sink.stamp(last_stamp_);
  for (const auto& [target, pending] : pending_) {
    sink.value(as_bytes(target.to_string()));
    sink.index(pending.initiator.local().raw());
    sink.opaque(pending.initiator.stage_1());
    sink.timer(pending.due - now);
    sink.number(pending.sends);
    for (const std::string& text : pending.queue) sink.value(as_bytes(text));
    for (const UnderlayAddr& addr : pending.blocked) sink.value(as_bytes(addr.to_string()));
  }
  for (const auto& [peer, list] : by_peer_) {
    sink.label("peer");
    for (const LocalIndex local : list) {
      const Tunnel& tunnel = tunnels_.at(local);
      sink.index(local.raw());
      sink.stamp(tunnel.peer_time_ns);
      sink.number(static_cast<std::uint64_t>(tunnel.recv_errors));
      sink.number((tunnel.answer ? 2U : 0U) + (tunnel.deletion ? 1U : 0U));
      if (tunnel.check_at) sink.timer(*tunnel.check_at - now);
    }
  }
  describe_sessions(sink);
}

}  // namespace magnetar::sim
