// SPDX-License-Identifier: Apache-2.0
// Every order in which a network and the timers can treat a scenario, depth first, over the real
// state machines. A state is what each host is (described by itself), which packets are on the way
// and what the network may still do; states met before are not searched again.
//
// Hosts are told apart, not copied: a host's state is the list of events that led to it, and what
// an event does to a state is computed once and remembered.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tests/sim/explore/scenario.h"

namespace magnetar::sim::explore {

struct Violation {
  std::string what;
  std::vector<std::string> trace;  // the events that lead there
};

struct Outcome {
  std::uint64_t states = 0;  // distinct ones
  std::uint64_t steps = 0;   // from one state to another
  std::uint64_t finals = 0;  // distinct ones in which nothing is on the way
  std::size_t host_states = 0;
  bool complete = true;  // false: stopped at the limit of states or at the first violation
  std::vector<Violation> violations;
};

class Explorer {
 public:
  Explorer(const Scenario& scenario, const Budget& budget, std::uint64_t max_states);
  // Stops at the first violation.
  [[nodiscard]] Outcome run();

 private:
  static constexpr std::size_t kMaxHosts = 3;
  using StateId = std::uint32_t;
  using PacketId = std::uint32_t;

  enum class EventKind : std::uint8_t { kStart, kTimer, kReceive };
  struct Event {
    EventKind kind;
    std::uint32_t which = 0;  // the start or the packet
    friend auto operator<=>(const Event&, const Event&) = default;
  };
  struct HostState {
    std::vector<Event> history;
    std::optional<Instant> timer;
    std::size_t wrong_answers = 0;
    bool aged = false;               // a timer fired
    bool tunnels = false;            // it has some
    std::unique_ptr<Instance> live;  // at most once: the next event takes it
  };
  struct Step {
    StateId next = 0;
    std::vector<PacketId> sent;
    std::uint8_t lost = 0;  // packets whose loss is accounted for, as bits of `starts`
  };
  struct Packet {
    Datagram datagram;
    std::optional<std::size_t> to;     // which host
    std::optional<std::size_t> inner;  // which start's packet is in it
    bool stage_2 = false;
    bool models_error = false;  // a recv_error of a model: they err where we would not
    std::string label;
  };
  struct Global {
    std::array<StateId, kMaxHosts> hosts{};
    std::vector<PacketId> flight;  // sorted
    std::uint8_t started = 0;
    std::uint8_t lost = 0;
    std::int8_t drops = 0;
    std::int8_t duplicates = 0;
    std::int8_t cuts = 0;
  };

  using Digest = std::array<std::uint64_t, 2>;
  struct DigestHash {
    std::size_t operator()(const Digest& digest) const { return digest[0]; }
  };
  enum class What : std::uint8_t {
    kStarts,
    kTimer,
    kArrives,
    kArrivesTwice,
    kArrivesCut,
    kDropped
  };
  struct Happening {
    What what;
    std::uint32_t which;  // start, host or packet
  };

  // The search.
  void visit(const Global& state);
  // `after` is the state but for what the event does to the host.
  void try_event(Happening happening, Global after, std::size_t host, Event event);
  void visit_deliveries(const Global& state);
  [[nodiscard]] bool first_visit(const Global& state);
  void violation(std::string what);
  [[nodiscard]] std::string text_of(const Happening& happening) const;
  // No timer fired and the network dropped and repeated nothing.
  [[nodiscard]] bool undisturbed(const Global& state) const;

  // Hosts.
  [[nodiscard]] const Step& step(std::size_t host, StateId from, Event event);
  [[nodiscard]] std::unique_ptr<Instance> instance_at(std::size_t host, StateId state);
  void apply(Instance& instance, Event event) const;
  [[nodiscard]] StateId intern(std::size_t host, std::unique_ptr<Instance> instance,
                               std::vector<Event> history);
  [[nodiscard]] PacketId intern(Datagram datagram);
  [[nodiscard]] PacketId cut(PacketId packet);
  [[nodiscard]] std::uint8_t own_packets(std::size_t host) const;
  [[nodiscard]] std::uint8_t packets_with(const std::string& text) const;

  // Final states.
  void check_final(const Global& state);
  void check_silence(const Global& state);
  void check_traffic(const Global& state);
  void check_wrong_host_was_told(const std::vector<std::unique_ptr<Instance>>& hosts);
  void check_ends(const std::vector<std::unique_ptr<Instance>>& hosts);
  void check_delivery(const Global& state, const std::vector<std::unique_ptr<Instance>>& hosts);
  [[nodiscard]] std::vector<int> tries() const;
  [[nodiscard]] Kind kind_of(const VpnAddr& addr) const;
  [[nodiscard]] std::vector<std::unique_ptr<Instance>> instances_at(const Global& state);

  Scenario scenario_;
  Budget budget_;
  std::uint64_t max_states_;
  std::vector<Factory> factories_;
  std::vector<std::vector<HostState>> states_;  // by host
  std::vector<std::unordered_map<std::string, StateId>> known_;
  std::vector<std::unordered_map<std::uint64_t, Step>> steps_;  // by state and event
  std::vector<Packet> packets_;
  std::unordered_map<std::string, PacketId> known_packets_;
  std::unordered_set<Digest, DigestHash> visited_;
  std::set<std::pair<std::array<StateId, kMaxHosts>, std::uint8_t>> finals_;
  std::vector<Happening> trace_;
  Outcome outcome_;
};

}  // namespace magnetar::sim::explore
