// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/node.h"

#include <utility>

#include "controlplane/handshake/transport_aead.h"
#include "dataplane/base/check.h"
#include "tests/sim/world.h"

namespace magnetar::sim {

Node::Node(World& world, std::string name, std::shared_ptr<const Identity> identity,
           UnderlayAddr underlay, ControlSettings settings, std::uint64_t seed)
    : world_(world),
      name_(std::move(name)),
      identity_(std::move(identity)),
      underlay_(underlay),
      settings_(std::move(settings)),
      random_(seed) {
  settings_.own_addrs = {underlay_};
  restart();
}

void Node::restart() {
  sessions_.clear();
  routes_.clear();
  control_ = std::make_unique<ControlPlane>(identity_, settings_, random_);
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
  control_->on_packet_without_tunnel(to, {to_vector(as_bytes(text))}, world_.now(), actions);
  execute(std::move(actions));
}

void Node::test(const VpnAddr& to, ByteView body) {
  seal(open_session(routes_.at(to)), wire::MessageType::kTest, wire::kSubtypeTestRequest, body);
}

void Node::close(const VpnAddr& peer) {
  Actions actions;
  control_->close(peer, world_.now(), actions);
  execute(std::move(actions));
}

void Node::on_time() {
  Actions actions;
  control_->on_time(world_.now(), actions);
  execute(std::move(actions));
}

void Node::receive(const Datagram& datagram) {
  const auto header = wire::parse_header(datagram.bytes);
  if (!header) return;
  const LocalIndex local{header->index};
  Actions actions;
  if (header->type == wire::MessageType::kHandshake) {
    control_->on_handshake(datagram.from, *header, datagram.bytes, world_.now(), actions);
  } else if (header->type == wire::MessageType::kRecvError) {
    control_->on_recv_error(datagram.from, *header, world_.now(), actions);
  } else if (const auto session = sessions_.find(local); session != sessions_.end()) {
    receive_in_session(session->second, *header, datagram);
  } else {
    control_->on_unknown_index(datagram.from, *header, world_.now(), actions);
  }
  execute(std::move(actions));
}

void Node::receive_in_session(Session& session, const wire::Header& header,
                              const Datagram& datagram) {
  if (session.seen.contains(header.counter.raw())) return;
  const auto plain =
      handshake::open_packet(settings_.cipher, session.facts.receive_key, datagram.bytes);
  if (!plain) return;  // nothing is marked and nothing moves before the tag has verified
  session.seen.insert(header.counter.raw());
  const LocalIndex local = session.facts.local;
  Actions actions;
  if (datagram.from != session.facts.remote_addr) {
    control_->on_moved(local, datagram.from, world_.now(), actions);
    execute(std::exchange(actions, {}));
  }
  if (header.type == wire::MessageType::kMessage) {
    delivered.push_back(testing::to_text(*plain));
  } else {
    const bool reply = header.type == wire::MessageType::kTest && header.subtype == 1;
    if (reply) test_replies.push_back(*plain);
    control_->on_session_message(local, header, *plain, world_.now(), actions);
    execute(std::move(actions));
  }
}

void Node::seal(Session& session, wire::MessageType type, std::uint8_t subtype,
                ByteView plaintext) {
  const wire::Header header{.type = type,
                            .subtype = subtype,
                            .index = session.facts.remote.raw(),
                            .counter = Counter{session.next_counter++}};
  world_.transmit(
      {underlay_, session.facts.remote_addr,
       handshake::seal_packet(settings_.cipher, session.facts.send_key, header, plaintext)});
}

void Node::execute(Actions actions) {
  for (Action& action : actions) std::visit([&](auto& one) { carry_out(one); }, action);
  world_.wake(*this, control_->next_timeout());
}

Session& Node::open_session(LocalIndex local) {
  const auto at = sessions_.find(local);
  MAGNETAR_CHECK(at != sessions_.end());
  return at->second;
}

void Node::carry_out(SendDatagram& action) {
  world_.transmit({underlay_, action.to, std::move(action.bytes)});
}

void Node::carry_out(SendInSession& action) {
  seal(open_session(action.session), action.type, action.subtype, action.plaintext);
}

void Node::carry_out(SendQueued& action) {
  for (const QueuedPacket& one : action.packets)
    seal(open_session(action.session), wire::MessageType::kMessage, 0, one.packet);
}

void Node::carry_out(OpenSession& action) {
  const LocalIndex local = action.local;
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

void Node::carry_out(CloseSession& action) {
  open_session(action.session);
  for (const auto& [addr, local] : routes_) MAGNETAR_CHECK(local != action.session);
  sessions_.erase(action.session);
}

void Node::carry_out(HandshakeEnded& action) { ++ended_[std::string(action.result)]; }

void Node::carry_out(Refused& action) { ++refused_[std::string(action.reason)]; }

void Node::carry_out(LogEvent& action) { MAGNETAR_CHECK(action.text.starts_with("event=\"")); }

const Session* Node::session_to(const VpnAddr& peer) const {
  const auto route = routes_.find(peer);
  return route == routes_.end() ? nullptr : &sessions_.at(route->second);
}

int Node::refused(const std::string& reason) const {
  const auto at = refused_.find(reason);
  return at == refused_.end() ? 0 : at->second;
}

int Node::ended(const std::string& result) const {
  const auto at = ended_.find(result);
  return at == ended_.end() ? 0 : at->second;
}

}  // namespace magnetar::sim
