// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/host.h"

#include "controlplane/handshake/transport_aead.h"
#include "tests/support/mint.h"

namespace magnetar::sim {

void Host::seal(Session& session, wire::MessageType type, std::uint8_t subtype,
                ByteView plaintext) {
  const wire::Header header{.type = type,
                            .subtype = subtype,
                            .index = session.facts.remote.raw(),
                            .counter = Counter{session.next_counter++}};
  session.out = true;
  net_.transmit(
      {.from = underlay_,
       .to = session.facts.remote_addr,
       .bytes = handshake::seal_packet(cipher_, session.facts.send_key, header, plaintext),
       .inner = type == wire::MessageType::kMessage ? testing::to_text(plaintext) : std::string()});
}

void Host::describe_sessions(DigestSink& sink) const {
  sink.label("sessions");
  sink.number(sessions_.size());
  for (const auto& [local, session] : sessions_) {
    sink.index(local.raw());
    sink.index(session.facts.remote.raw());
    sink.opaque(session.facts.send_key.reveal());
    sink.value(as_bytes(session.facts.remote_addr.to_string()));
    sink.number(session.next_counter);
    sink.number(session.seen.size());
    for (const std::uint64_t counter : session.seen) sink.number(counter);
    sink.number((session.in ? 2U : 0U) + (session.out ? 1U : 0U));
  }
  sink.label("delivered");
  sink.number(delivered.size());
  for (const std::string& text : delivered) sink.value(as_bytes(text));
}

bool paired(const Session& one, const Session& other) {
  return one.facts.local.raw() == other.facts.remote.raw() &&
         other.facts.local.raw() == one.facts.remote.raw() &&
         one.facts.send_key == other.facts.receive_key &&
         other.facts.send_key == one.facts.receive_key;
}

bool consistent(const Host& one, const Host& other) {
  const Session* const a = one.session_to(other.overlay());
  const Session* const b = other.session_to(one.overlay());
  if (a == nullptr || b == nullptr) return false;
  return paired(*a, *b) && a->facts.remote_addr == other.underlay() &&
         b->facts.remote_addr == one.underlay();
}

}  // namespace magnetar::sim
