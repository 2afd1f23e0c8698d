// SPDX-License-Identifier: Apache-2.0
#include "controlplane/publish/publisher.h"

#include <algorithm>

#include <rte_mbuf.h>

#include "dataplane/base/check.h"
#include "dataplane/crypto/nonce.h"
#include "dataplane/packet/meta.h"

namespace magnetar {
namespace {

constexpr std::size_t kOverhead = wire::Header::kSize + wire::kTagSize;
constexpr std::size_t kFrameSlack = 18;  // Ethernet and a VLAN tag, in frames of the twin

}  // namespace

void Publisher::carry_out(OpenSession& action) {
  auto session = std::make_unique<Session>();
  session->local = action.local;
  session->remote_index = action.remote;
  for (const VpnAddr& addr : action.overlay_addrs) session->sources.add(addr.ip);
  for (const Prefix& network : action.unsafe_networks) session->sources.add(network);
  parts_.aead.expand(action.send_key, session->seal_key);
  parts_.aead.expand(action.receive_key, session->open_key);
  session->owned_hot.reset(new SessionHot);  // make_shared would take a line more
  session->hot = session->owned_hot.get();
  session->hot->remote_key.store(wire::underlay_key(action.remote_addr));
  session->hot->remote.store(remote_for(action.remote_addr).release());
  parts_.sessions.publish(std::move(session));
}

void Publisher::carry_out(const CloseSession& action) { parts_.sessions.retire(action.session); }

void Publisher::carry_out(const MoveSession& action) {
  const Session* session = parts_.sessions.find(action.session);
  MAGNETAR_CHECK(session != nullptr);
  parts_.sessions.move(*session, remote_for(action.remote_addr));
}

void Publisher::carry_out(const SetPathMtu& action) {
  const Session* session = parts_.sessions.find(action.session);
  MAGNETAR_CHECK(session != nullptr);
  auto remote = std::make_unique<Remote>(*session->hot->remote.load(std::memory_order_relaxed));
  remote->path_mtu = action.mtu;
  parts_.sessions.move(*session, std::move(remote));
}

void Publisher::carry_out(const RoutePeer& action) {
  const Session* session = parts_.sessions.find(action.session);
  MAGNETAR_CHECK(session != nullptr);
  if (!parts_.routes.set(action.addr, session->hot)) ++overflowed_;
}

void Publisher::carry_out(const UnroutePeer& action) { parts_.routes.erase(action.addr); }

void Publisher::carry_out(const SendInSession& action) {
  const Session* session = parts_.sessions.find(action.session);
  MAGNETAR_CHECK(session != nullptr);
  seal_and_send(*session, action.type, action.subtype, action.plaintext, 0);
}

void Publisher::carry_out(const SendQueued& action) {
  const Session* session = parts_.sessions.find(action.session);
  MAGNETAR_CHECK(session != nullptr);
  for (const QueuedPacket& queued : action.packets)
    seal_and_send(*session, wire::MessageType::kMessage, wire::kSubtypeNone, queued.packet,
                  queued.worker);
}

void Publisher::carry_out(const SendDatagram& action) {
  const auto path = parts_.paths.path_to(action.to);
  // Without a neighbour, not even where the kernel would resolve it: answers to places that a
  // stranger made up would fill the workers' sockets, and those of sessions could not leave.
  if (!path || path->next_mac == MacAddr{}) {
    if (!parts_.send_by_kernel(action.to, action.bytes)) ++unreachable_;
    return;
  }
  const wire::OuterTemplate outer(*path);
  const std::uint16_t senders = action.ahead_of_data ? parts_.workers : std::uint16_t{1};
  for (std::uint16_t worker = 0; worker < senders; ++worker) {
    rte_mbuf* mbuf = allocate(action.bytes.size());
    if (mbuf == nullptr) return;
    std::ranges::copy(action.bytes, data_of(*mbuf));
    const std::byte* frame = outer.write_before(data_of(*mbuf), action.bytes.size());
    set_data(*mbuf, frame, outer.size() + action.bytes.size());
    enqueue(mbuf, worker);
  }
}

void Publisher::send_frame(ByteView frame) {
  rte_mbuf* mbuf = allocate(frame.size());
  if (mbuf == nullptr) return;
  std::ranges::copy(frame, data_of(*mbuf));
  set_data(*mbuf, data_of(*mbuf), frame.size());
  enqueue(mbuf, 0);
}

void Publisher::seal_and_send(const Session& session, wire::MessageType type, std::uint8_t subtype,
                              ByteView plaintext, std::uint16_t worker) {
  const std::size_t size = plaintext.size() + kOverhead;
  const Remote& remote = *session.hot->remote.load(std::memory_order_acquire);
  rte_mbuf* mbuf = allocate(size);
  if (mbuf == nullptr) return;
  const std::uint64_t counter = session.hot->reserve(1);
  if (counter >= kSendCounterCeiling) {
    session.hot->tx_unsent.fetch_add(1, std::memory_order_relaxed);
    rte_pktmbuf_free(mbuf);
    return;
  }
  std::byte* packet = data_of(*mbuf);
  store_block(packet, make_header(header_prefix(wire::first_byte(type), subtype,
                                                session.remote_index.raw()),
                                  counter));
  std::ranges::copy(plaintext, packet + wire::Header::kSize);
  AeadJob job{};
  store_block(&job.nonce, make_nonce(parts_.aead.cipher(), counter));
  job.key = &session.seal_key;
  job.text = packet + wire::Header::kSize;
  job.length = static_cast<std::uint32_t>(plaintext.size());
  parts_.aead.seal({&job, 1});
  session.hot->control_tx_bytes.fetch_add(plaintext.size(), std::memory_order_relaxed);
  if (!remote.reachable()) {
    if (!parts_.send_by_kernel(remote.addr, {packet, size})) ++unreachable_;
    rte_pktmbuf_free(mbuf);
    return;
  }
  if (size + remote.header.size() > parts_.outside_mtu + wire::kEthernetSize) {
    ++too_big_;
    rte_pktmbuf_free(mbuf);
    return;
  }
  const std::byte* frame = remote.header.write_before(packet, size);
  set_data(*mbuf, frame, size + remote.header.size());
  enqueue(mbuf, worker);
}

// An mbuf with room for `size` bytes and an outer header before them; none when that is too much
// for a frame, or the pool is empty.
rte_mbuf* Publisher::allocate(std::size_t size) {
  if (size > parts_.outside_mtu + kFrameSlack) {
    ++too_big_;
    return nullptr;
  }
  rte_mbuf* mbuf = rte_pktmbuf_alloc(parts_.pool);
  if (mbuf == nullptr) ++overflowed_;
  return mbuf;
}

void Publisher::enqueue(rte_mbuf* frame, std::uint16_t worker) {
  if (parts_.rings.send_frame(worker < parts_.workers ? worker : 0, frame)) return;
  ++overflowed_;
  rte_pktmbuf_free(frame);
}

std::unique_ptr<Remote> Publisher::remote_for(const UnderlayAddr& addr) {
  auto remote = std::make_unique<Remote>();
  remote->addr = addr;
  if (const auto path = parts_.paths.path_to(addr)) remote->header = wire::OuterTemplate(*path);
  return remote;
}

void Publisher::refresh_paths() {
  parts_.paths.forget();
  parts_.sessions.for_each([this](const Session& session) {
    const Remote& before = *session.hot->remote.load(std::memory_order_relaxed);
    auto now = remote_for(before.addr);
    now->path_mtu = before.path_mtu;
    // A next hop that the kernel is asking for anew still takes packets until it says otherwise.
    if (!now->reachable() && before.reachable()) return;
    if (now->header != before.header) parts_.sessions.move(session, std::move(now));
  });
}

void Publisher::reap() {
  parts_.sessions.reap();
  parts_.routes.reap();
}

void Publisher::rearm_notices() {
  for (const LocalIndex index : noticed_)
    if (const Session* session = parts_.sessions.find(index))
      session->hot->move_noticed.store(false, std::memory_order_relaxed);
  noticed_.clear();
}

std::optional<SessionTallies> Publisher::tallies(LocalIndex index) const {
  const Session* session = parts_.sessions.find(index);
  if (session == nullptr) return std::nullopt;
  const SessionHot& hot = *session->hot;
  return SessionTallies{hot.rx_packets.load(std::memory_order_relaxed),
                        hot.rx_bytes.load(std::memory_order_relaxed), hot.tx_packets(),
                        hot.tx_bytes.load(std::memory_order_relaxed) +
                            hot.control_tx_bytes.load(std::memory_order_relaxed),
                        hot.send_counter.load(std::memory_order_relaxed)};
}

}  // namespace magnetar
