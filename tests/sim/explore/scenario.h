// SPDX-License-Identifier: Apache-2.0
// What the search explores: a few hosts, the packets they want to send, and how much the network
// may do to them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/explore/instance.h"

namespace magnetar::sim::explore {

enum class Kind : std::uint8_t { kOurs, kOld, kNew };

struct HostSpec {
  std::string name;
  std::string overlay;  // the underlay address is the same host in 192.0.2.0/24
  Kind kind = Kind::kOurs;
  // Where it believes others to be: the overlay address, and the hosts that may be there.
  struct Believes {
    std::size_t peer;
    std::vector<std::size_t> at;
  };
  std::vector<Believes> believes;
  std::string second = {};  // overlay address
};

struct StartSpec {
  std::size_t host;
  std::size_t to;
  std::string text;
  // Sent only if there is a tunnel, which may be a broken one: it need not arrive. The others must,
  // unless the network drops them or no answer comes in time.
  bool with_tunnel_only = false;
  bool to_second = false;  // address of theirs
};

struct Budget {
  int drops = 0;
  int duplicates = 0;
  int cuts = 0;  // a stage 2 is delivered with its end cut off, and stays on the way
  std::uint32_t retries = 2;
  // Timers fire in any order as long as they are due within this time of the start.
  Duration horizon = std::chrono::seconds(1);
};

struct Scenario {
  std::string name;
  std::vector<HostSpec> hosts;
  std::vector<StartSpec> starts;
  std::vector<std::pair<std::size_t, std::size_t>> pairs;  // must end with a tunnel that works
  bool hopeless = false;  // nobody is where they are looked for: what is sent is lost
  int version = 1;        // of the hosts' certificates: 2 where they have second addresses
};

[[nodiscard]] VpnAddr overlay_of(const HostSpec& spec);
// The second one after it, if there is one.
[[nodiscard]] std::vector<VpnAddr> overlays_of(const HostSpec& spec);
[[nodiscard]] UnderlayAddr underlay_of(const HostSpec& spec);
[[nodiscard]] std::vector<Factory> factories_of(const Scenario& scenario, const Budget& budget);

// Case 2: both start. The other side is ours or a model, with the higher or the lower address.
[[nodiscard]] Scenario both_start(Kind other, bool other_is_higher);
// The same, and the other side sends once more.
[[nodiscard]] Scenario both_start_and_again(Kind other);
// Cases 3a and 3b: the address of one host may be another's, who answers too, and wants to send.
[[nodiscard]] Scenario wrong_responder(Kind right, Kind wrong);
// The same hosts with an address of each family. Those who start both ways do so between different
// addresses; `again`: and we look for the peer under both.
[[nodiscard]] Scenario between_two_addresses(Scenario scenario, bool again);
// Case 3b without end: the only address is the wrong host's.
[[nodiscard]] Scenario only_the_wrong_host();

}  // namespace magnetar::sim::explore
