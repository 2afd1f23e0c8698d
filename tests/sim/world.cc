// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/world.h"

#include <algorithm>
#include <stdexcept>

#include "tests/support/control_host.h"

namespace magnetar::sim {

using namespace std::chrono_literals;

World::World(std::uint32_t seed) : engine_(seed) {}

Node& World::add_node(std::string_view name, std::string_view overlay, ControlSettings settings) {
  const auto key = static_cast<std::uint8_t>(nodes_.size() + 1);
  const auto ip = IpAddr::parse(overlay).value();
  const UnderlayAddr underlay{IpAddr::v4(0xc0000200U | (ip.v4_value() & 0xffU)), 4242};
  auto identity = authority_.shared_host(name, std::string(overlay) + "/16", key);
  nodes_.push_back(std::make_unique<Node>(*this, std::string(name), std::move(identity), underlay,
                                          std::move(settings), engine_()));
  return *nodes_.back();
}

bool World::step() {
  if (events_.empty()) return false;
  auto first = events_.extract(events_.begin());
  now_.wall += first.key() - now_.steady;
  now_.steady = first.key();
  first.mapped()();
  return true;
}

void World::run_for(Duration time) {
  const Instant end = now_.steady + time;
  while (!events_.empty() && events_.begin()->first <= end) step();
  now_.wall += end - now_.steady;
  now_.steady = end;
}

bool World::run_until(const std::function<bool()>& condition, Duration limit) {
  const Instant end = now_.steady + limit;
  while (!condition()) {
    if (events_.empty() || events_.begin()->first > end) return false;
    step();
  }
  return true;
}

bool World::happens(double probability) {
  return std::uniform_real_distribution<>(0, 1)(engine_) < probability;
}

void World::transmit(Datagram datagram) {
  if (holding_) {
    held.push_back(std::move(datagram));
    return;
  }
  const int copies = happens(link_.duplicate) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    if (happens(link_.loss)) continue;
    const Duration extra{
        std::uniform_int_distribution<Duration::rep>(0, link_.jitter.count())(engine_)};
    at(now_.steady + link_.latency + extra, [this, datagram] { deliver(datagram); });
  }
}

void World::deliver(const Datagram& datagram) {
  for (const auto& node : nodes_)
    if (node->underlay() == datagram.to) return node->receive(datagram);
}

void World::wake(Node& node, std::optional<Instant> when) {
  // Timers that became pointless still fire: a spurious call must be harmless.
  if (when) at(std::max(*when, now_.steady), [&node] { node.on_time(); });
}

Datagram World::take_for(const Node& node) {
  const auto found =
      std::ranges::find_if(held, [&](const Datagram& one) { return one.to == node.underlay(); });
  if (found == held.end()) throw std::logic_error("nothing is held for " + node.name());
  Datagram taken = std::move(*found);
  held.erase(found);
  return taken;
}

bool consistent(const Node& one, const Node& other) {
  const Session* const a = one.session_to(other.overlay());
  const Session* const b = other.session_to(one.overlay());
  if (a == nullptr || b == nullptr) return false;
  return a->facts.local.raw() == b->facts.remote.raw() &&
         b->facts.local.raw() == a->facts.remote.raw() &&
         a->facts.send_key == b->facts.receive_key && b->facts.send_key == a->facts.receive_key &&
         a->facts.remote_addr == other.underlay() && b->facts.remote_addr == one.underlay();
}

bool tunnel_works(World& world, Node& one, Node& other) {
  static int serial = 0;
  const std::string text = "probe " + std::to_string(++serial);
  const auto arrived = [&](const Node& node) {
    return [&node, text] { return std::ranges::count(node.delivered, text) == 1; };
  };
  other.send(one.overlay(), text);
  if (!world.run_until(arrived(one), 2s)) return false;
  one.send(other.overlay(), text);
  return world.run_until(arrived(other), 2s);
}

}  // namespace magnetar::sim
