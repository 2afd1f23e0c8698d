// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/path_prober.h"

#include <algorithm>

#include "controlplane/tunnel/log_text.h"
#include "dataplane/base/bytes.h"
#include "dataplane/wire/outer_packet.h"

namespace magnetar {
namespace {

constexpr int kLooksPerCall = 256;
// After the handshake's last packet, which may be under way still.
constexpr Duration kFirstAfter = std::chrono::seconds(1);

// Of a probe: what is left in an outer packet of `size` for the text of a message.
std::size_t text_size(const UnderlayAddr& to, std::uint16_t size) {
  return size - wire::outer_overhead(to.ip.is_v4()) - wire::kOverhead;
}

Bytes probe_text(const UnderlayAddr& to, std::uint16_t size) {
  Bytes text(text_size(to, size));
  store_be_at(text.data(), size);
  return text;
}

bool is_sent_on(const Core& core, const Tunnel& tunnel) {
  return std::ranges::any_of(tunnel.overlay_addrs, [&](const VpnAddr& addr) {
    return core.tunnels.primary(addr) == &tunnel;
  });
}

}  // namespace

void begin_path(Core& core, const Tunnel& tunnel, Now now) {
  if (const auto& most = core.settings.probe_path_mtu)
    core.paths.set(tunnel.local, PathMtu(tunnel.remote_addr.ip.is_v4(), *most),
                   now.steady + kFirstAfter);
}

void PathProber::on_time(Now now, Actions& out) {
  for (int i = 0; i < kLooksPerCall; ++i) {
    const auto local = core_.paths.next_due(now.steady);
    if (!local) return;
    look_at(*local, now, out);
  }
}

void PathProber::look_at(LocalIndex local, Now now, Actions& out) {
  PathState& path = *core_.paths.find(local);
  Tunnel& tunnel = *core_.tunnels.find(local);
  // One that nobody sends through is not searched, and what we say in one that nobody has confirmed
  // may reach nobody.
  if (!tunnel.confirmed || !is_sent_on(core_, tunnel))
    return core_.paths.reschedule(local, path, now.steady + PathMtu::kConfirmEvery);
  const bool used = tunnel.out || tunnel.send_counter > path.send_counter + path.probes;
  path.send_counter = tunnel.send_counter;
  path.probes = 0;
  follow(tunnel, path, path.search.on_timer(now.steady, used), now, out);
}

void PathProber::on_answer(Tunnel& tunnel, ByteView body, Now now, Actions& out) {
  PathState* const path = core_.paths.find(tunnel.local);
  if (path == nullptr || body.size() < sizeof(std::uint16_t)) return;
  const auto size = load_be_at<std::uint16_t>(body.data());
  const std::size_t around = wire::outer_overhead(tunnel.remote_addr.ip.is_v4()) + wire::kOverhead;
  if (body.size() + around != size) return;
  const std::uint16_t before = path->search.mtu();
  const auto step = path->search.on_answer(size, now.steady);
  if (!step) return;
  tunnel.tested = true;  // that it was heard does not mean that the peer sends here (keeper.h)
  if (path->search.mtu() != before) {
    out.emplace_back(SetPathMtu{tunnel.local, path->search.mtu()});
    out.emplace_back(log_path_mtu(tunnel, path->search.mtu()));
  }
  follow(tunnel, *path, *step, now, out);
}

void PathProber::on_moved(const Tunnel& tunnel, Now now) { begin_path(core_, tunnel, now); }

void PathProber::follow(Tunnel& tunnel, PathState& path, const PathMtu::Step& step, Now now,
                        Actions& out) {
  core_.paths.reschedule(tunnel.local, path, now.steady + step.again);
  if (!step.probe) return;
  ++path.probes;
  out.emplace_back(SendInSession{.session = tunnel.local,
                                 .type = wire::MessageType::kTest,
                                 .subtype = wire::kSubtypeTestRequest,
                                 .plaintext = probe_text(tunnel.remote_addr, *step.probe)});
}

}  // namespace magnetar
