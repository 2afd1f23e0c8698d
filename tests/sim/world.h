// SPDX-License-Identifier: Apache-2.0
// Many gateways under one virtual clock, and a seeded network between them that loses, repeats,
// delays and reorders. The same seed gives the same run.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string_view>
#include <vector>

#include "tests/sim/nebula.h"
#include "tests/sim/node.h"
#include "tests/support/identities.h"

namespace magnetar::sim {

struct Link {
  Duration latency = std::chrono::milliseconds(20);
  Duration jitter{};  // up to this much more, drawn for each packet: later ones overtake
  double loss = 0;
  double duplicate = 0;
  std::size_t mtu = 65535;  // of IPv4 packets: larger ones vanish
};

class World final : public Net {
 public:
  explicit World(std::uint32_t seed = 1);

  // `overlay` as "10.42.0.1"; the underlay address is the same host in 192.0.2.0/24.
  Node& add_node(std::string_view name, std::string_view overlay, ControlSettings settings = {});
  // Models of Nebula's older and newer rules.
  Nebula& add_old(std::string_view name, std::string_view overlay);
  Nebula& add_new(std::string_view name, std::string_view overlay);
  // `who` has the underlay address of `whom` as a static one.
  void knows(Host& who, const Host& whom) { who.set_remotes(whom.overlay(), {whom.underlay()}); }
  void know_each_other(Host& one, Host& other) {
    knows(one, other);
    knows(other, one);
  }
  void link(const Link& link) { link_ = link; }

  [[nodiscard]] Now now() const override { return now_; }
  // One event; false once nothing is left to happen.
  bool step();
  void run_for(Duration time);
  [[nodiscard]] bool run_until(const std::function<bool()>& condition, Duration limit);

  // From now on what nodes send is kept in `held` and goes nowhere by itself.
  void hold() { holding_ = true; }
  void release() { holding_ = false; }
  // The oldest held packet that goes to this node.
  [[nodiscard]] Datagram take_for(const Host& host);
  // Now, whatever the network is like. Lost if nobody lives there.
  void deliver(const Datagram& datagram);
  // Everything held, the oldest first, and what is sent in answer to it.
  void deliver_held();
  std::deque<Datagram> held;

  void transmit(Datagram datagram) override;
  void wake(Host& host, std::optional<Instant> when) override;
  [[nodiscard]] const std::vector<std::unique_ptr<Host>>& hosts() const { return hosts_; }
  [[nodiscard]] std::mt19937_64& engine() { return engine_; }
  [[nodiscard]] const testing::Authority& authority() const { return authority_; }

 private:
  struct Place {
    std::shared_ptr<const Identity> identity;
    UnderlayAddr underlay;
  };
  [[nodiscard]] Place next_place(std::string_view name, std::string_view overlay);
  template <typename T, typename... Args>
  T& settle_down(Args&&... args) {
    auto host = std::make_unique<T>(*this, std::forward<Args>(args)...);
    T& settled = *host;
    hosts_.push_back(std::move(host));
    return settled;
  }

  using Event = std::function<void()>;
  void at(Instant when, Event event) { events_.emplace(when, std::move(event)); }
  [[nodiscard]] bool happens(double probability);

  testing::Authority authority_;
  std::mt19937_64 engine_;
  Now now_{Instant{std::chrono::seconds(1000)}, testing::kWallStart};
  Link link_;
  bool holding_ = false;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::map<const Host*, Instant> wakes_;  // the earliest of each
  std::multimap<Instant, Event> events_;  // equal times keep their order
};

// A packet each way arrives unchanged within two seconds.
[[nodiscard]] bool tunnel_works(World& world, Host& one, Host& other);

}  // namespace magnetar::sim
