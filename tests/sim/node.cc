// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/node.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "controlplane/handshake/transport_aead.h"
#include "dataplane/base/check.h"
#include "tests/support/mint.h"

namespace magnetar::sim {

Node::Node(Net& net, std::string name, std::shared_ptr<const Identity> identity,
           UnderlayAddr underlay, ControlSettings settings, std::uint64_t seed)
    : Host(net, std::move(name), std::move(identity), underlay, settings.cipher, seed),
      settings_(std::move(settings)) {
  Node::restart();
}

void Node::restart() {
  sessions_.clear();
  routes_.clear();
  awaited_.clear();
  settings_.own_addrs = {underlay()};
  TrafficSource* const traffic = this;
  control_ = std::make_unique<ControlPlane>(identity_, settings_, random_, traffic);
}

void Node::set_remotes(const VpnAddr& peer, std::vector<UnderlayAddr> remotes) {
  settings_.static_remotes[peer] = std::move(remotes);
  control_->replace_static_remotes(settings_.static_remotes);
}

void Node::send(const VpnAddr& to, std::string_view text) {
  if (const auto route = routes_.find(to); route != routes_.end()) {
    seal(open_session(route->second), wire::MessageType::kMessage, 0, as_bytes(text));
    return;
  }
  Actions actions;
  control_->on_packet_without_tunnel(to, {to_vector(as_bytes(text))}, net_.now(), actions);
  execute(std::move(actions));
}

void Node::test(const VpnAddr& to, ByteView body) {
  seal(open_session(routes_.at(to)), wire::MessageType::kTest, wire::kSubtypeTestRequest, body);
}

void Node::close(const VpnAddr& peer) {
  Actions actions;
  control_->close(peer, net_.now(), actions);
  execute(std::move(actions));
}

void Node::on_time() {
  Actions actions;
  control_->on_time(net_.now(), actions);
  execute(std::move(actions));
}

void Node::receive(const Datagram& datagram) {
  const auto header = wire::parse_header(datagram.bytes);
  if (!header) return;
  const LocalIndex local{header->index};
  Actions actions;
  if (header->type == wire::MessageType::kHandshake) {
    control_->on_handshake(datagram.from, *header, datagram.bytes, net_.now(), actions);
  } else if (header->type == wire::MessageType::kRecvError) {
    control_->on_recv_error(datagram.from, *header, net_.now(), actions);
  } else if (const auto session = sessions_.find(local); session != sessions_.end()) {
    receive_in_session(session->second, *header, datagram);
  } else if (const auto early = awaited_.find(local);
             early != awaited_.end() && header->type != wire::MessageType::kRecvError) {
    early->second.push_back(datagram);
  } else {
    control_->on_unknown_index(datagram.from, *header, net_.now(), actions);
  }
  execute(std::move(actions));
}

void Node::receive_in_session(Session& session, const wire::Header& header,
                              const Datagram& datagram) {
  if (session.seen.contains(header.counter.raw())) return count_refused("replayed");
  const auto plain = handshake::open_packet(cipher_, session.facts.receive_key, datagram.bytes);
  const LocalIndex local = session.facts.local;
  Actions actions;
  if (!plain) {  // nothing is marked and nothing moves before the tag has verified
    control_->on_forged(local, datagram.from, header, net_.now(), actions);
    return execute(std::move(actions));
  }
  session.seen.insert(header.counter.raw());
  session.in = true;
  if (datagram.from != session.facts.remote_addr) {
    control_->on_moved(local, datagram.from, net_.now(), actions);
    execute(std::exchange(actions, {}));
  }
  if (header.type == wire::MessageType::kMessage) {
    delivered.push_back(testing::to_text(*plain));
  } else {
    const bool reply = header.type == wire::MessageType::kTest && header.subtype == 1;
    if (reply) test_replies.push_back(*plain);
    control_->on_session_message(local, header, *plain, net_.now(), actions);
    execute(std::move(actions));
  }
}

void Node::execute(Actions actions) {
  for (Action& action : actions) std::visit([&](auto& one) { carry_out(one); }, action);
  for (const Datagram& early : std::exchange(released_, {})) receive(early);
  net_.wake(*this, control_->next_timeout());
}

Session& Node::open_session(LocalIndex local) {
  const auto at = sessions_.find(local);
  MAGNETAR_CHECK(at != sessions_.end());
  return at->second;
}

void Node::carry_out(SendDatagram& action) {
  net_.transmit({.from = underlay(), .to = action.to, .bytes = std::move(action.bytes)});
}

void Node::carry_out(SendInSession& action) {
  seal(open_session(action.session), action.type, action.subtype, action.plaintext);
}

void Node::carry_out(SendQueued& action) {
  for (const QueuedPacket& one : action.packets)
    seal(open_session(action.session), wire::MessageType::kMessage, 0, one.packet);
}

void Node::carry_out(AwaitSession& action) {
  MAGNETAR_CHECK(awaited_.emplace(action.local, std::vector<Datagram>()).second);
}

void Node::carry_out(UnawaitSession& action) {
  const auto early = awaited_.extract(action.local);
  MAGNETAR_CHECK(!early.empty());
  for (const Datagram& one : early.mapped())
    if (!one.inner.empty()) missed.push_back(one.inner);
  std::ranges::copy(early.mapped(), std::back_inserter(released_));
}

void Node::carry_out(OpenSession& action) {
  const LocalIndex local = action.local;
  if (const auto early = awaited_.extract(local))
    std::ranges::copy(early.mapped(), std::back_inserter(released_));
  // A slot holds one session at a time.
  const std::uint32_t mask = settings_.max_tunnels - 1;
  for (const auto& [other, session] : sessions_)
    MAGNETAR_CHECK((other.raw() & mask) != (local.raw() & mask));
  MAGNETAR_CHECK(local.raw() != 0 && action.remote.raw() != 0);
  sessions_.emplace(local, Session{std::move(action)});
}

void Node::carry_out(RoutePeer& action) {
  open_session(action.session);
  routes_[action.addr] = action.session;
}

void Node::carry_out(UnroutePeer& action) { MAGNETAR_CHECK(routes_.erase(action.addr) == 1); }

void Node::carry_out(MoveSession& action) {
  open_session(action.session).facts.remote_addr = action.remote_addr;
}

void Node::carry_out(SetPathMtu& action) { open_session(action.session).path_mtu = action.mtu; }

void Node::carry_out(CloseSession& action) {
  open_session(action.session);
  for (const auto& [addr, local] : routes_) MAGNETAR_CHECK(local != action.session);
  sessions_.erase(action.session);
}

void Node::carry_out(HandshakeEnded& action) { count_ended(action.result); }

void Node::carry_out(Refused& action) { count_refused(action.reason); }

void Node::carry_out(LogEvent& action) { MAGNETAR_CHECK(action.text.starts_with("event=\"")); }

const Session* Node::session_to(const VpnAddr& peer) const {
  const auto route = routes_.find(peer);
  return route == routes_.end() ? nullptr : &sessions_.at(route->second);
}

Traffic Node::take(LocalIndex session) {
  Session& open = open_session(session);
  return {.in = std::exchange(open.in, false),
          .out = std::exchange(open.out, false),
          .send_counter = open.next_counter};
}

void Node::renew(std::shared_ptr<const Identity> identity) {
  identity_ = std::move(identity);
  control_->replace_identity(identity_);
}

std::optional<Instant> Node::next_timeout() const { return control_->next_timeout(); }

void Node::describe(DigestSink& sink) const {
  control_->describe_state(net_.now(), sink);
  sink.label("routes");
  for (const auto& [addr, local] : routes_) {
    sink.value(as_bytes(addr.to_string()));
    sink.index(local.raw());
  }
  sink.label("awaited");
  for (const auto& [local, early] : awaited_) {
    sink.index(local.raw());
    for (const Datagram& one : early) sink.opaque(one.bytes);
  }
  describe_sessions(sink);
}

}  // namespace magnetar::sim
