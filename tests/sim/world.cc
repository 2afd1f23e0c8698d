// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/world.h"

#include <algorithm>
#include <stdexcept>

#include "dataplane/wire/outer_packet.h"
#include "tests/support/control_host.h"

namespace magnetar::sim {

using namespace std::chrono_literals;

World::World(std::uint32_t seed) : engine_(seed) {}

World::Place World::next_place(std::string_view name, std::string_view overlay) {
  const auto key = static_cast<std::uint8_t>(hosts_.size() + 1);
  const auto ip = IpAddr::parse(overlay).value();
  return {authority_.shared_host(name, std::string(overlay) + "/16", key),
          {IpAddr::v4(0xc0000200U | (ip.v4_value() & 0xffU)), 4242}};
}

Node& World::add_node(std::string_view name, std::string_view overlay, ControlSettings settings) {
  Place place = next_place(name, overlay);
  return settle_down<Node>(std::string(name), std::move(place.identity), place.underlay,
                           std::move(settings), engine_());
}

Nebula& World::add_old(std::string_view name, std::string_view overlay) {
  Place place = next_place(name, overlay);
  return settle_down<NebulaOld>(std::string(name), std::move(place.identity), place.underlay,
                                engine_());
}

Nebula& World::add_new(std::string_view name, std::string_view overlay) {
  Place place = next_place(name, overlay);
  return settle_down<NebulaNew>(std::string(name), std::move(place.identity), place.underlay,
                                engine_());
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
  if (datagram.bytes.size() + wire::outer_overhead(true) > link_.mtu) return;
  const int copies = happens(link_.duplicate) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    if (happens(link_.loss)) continue;
    const Duration extra{
        std::uniform_int_distribution<Duration::rep>(0, link_.jitter.count())(engine_)};
    at(now_.steady + link_.latency + extra, [this, datagram] { deliver(datagram); });
  }
}

void World::deliver(const Datagram& datagram) {
  for (const auto& host : hosts_)
    if (host->underlay() == datagram.to) return host->receive(datagram);
}

void World::deliver_held() {
  while (!held.empty()) {
    const Datagram oldest = std::move(held.front());
    held.pop_front();
    deliver(oldest);
  }
}

void World::wake(Host& host, std::optional<Instant> when) {
  // Timers that became pointless still fire: a spurious call must be harmless.
  if (!when) return;
  const Instant due = std::max(*when, now_.steady);
  const auto [known, fresh] = wakes_.try_emplace(&host, due);
  if (!fresh && known->second <= due) return;
  known->second = due;
  at(due, [this, &host] {
    wakes_.erase(&host);
    host.on_time();
    wake(host, host.next_timeout());
  });
}

Datagram World::take_for(const Host& host) {
  const auto found =
      std::ranges::find_if(held, [&](const Datagram& one) { return one.to == host.underlay(); });
  if (found == held.end()) throw std::logic_error("nothing is held for " + host.name());
  Datagram taken = std::move(*found);
  held.erase(found);
  return taken;
}

bool tunnel_works(World& world, Host& one, Host& other) {
  static int serial = 0;
  const std::string text = "probe " + std::to_string(++serial);
  const auto arrived = [&](const Host& host) {
    return [&host, text] { return std::ranges::count(host.delivered, text) == 1; };
  };
  other.send(one.overlay(), text);
  if (!world.run_until(arrived(one), 2s)) return false;
  one.send(other.overlay(), text);
  return world.run_until(arrived(other), 2s);
}

}  // namespace magnetar::sim
