// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/explore/explorer.h"

#include <algorithm>

#include <sodium.h>

namespace magnetar::sim::explore {
namespace {

constexpr std::uint8_t kAll = 0xff;

template <typename T>
void add(std::string& to, const T& value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace

Explorer::Explorer(const Scenario& scenario, const Budget& budget, std::uint64_t max_states)
    : scenario_(scenario),
      budget_(budget),
      max_states_(max_states),
      factories_(factories_of(scenario, budget)),
      states_(scenario.hosts.size()),
      known_(scenario.hosts.size()),
      steps_(scenario.hosts.size()) {}

Outcome Explorer::run() {
  Global first;
  for (std::size_t host = 0; host < factories_.size(); ++host)
    first.hosts[host] = intern(host, std::make_unique<Instance>(factories_[host]), {});
  first.drops = static_cast<std::int8_t>(budget_.drops);
  first.duplicates = static_cast<std::int8_t>(budget_.duplicates);
  first.cuts = static_cast<std::int8_t>(budget_.cuts);
  visit(first);
  outcome_.states = visited_.size();
  outcome_.finals = finals_.size();
  for (const auto& states : states_) outcome_.host_states += states.size();
  return outcome_;
}

bool Explorer::first_visit(const Global& state) {
  std::string key;
  key.reserve(128);
  add(key, state.hosts);
  add(key, std::array{static_cast<std::int8_t>(state.started), static_cast<std::int8_t>(state.lost),
                      state.drops, state.duplicates, state.cuts});
  for (const PacketId packet : state.flight) add(key, packet);
  Digest digest;
  crypto_generichash(reinterpret_cast<unsigned char*>(digest.data()), sizeof digest,
                     reinterpret_cast<const unsigned char*>(key.data()), key.size(), nullptr, 0);
  return visited_.insert(digest).second;
}

void Explorer::visit(const Global& state) {
  if (!outcome_.violations.empty()) return;
  if (visited_.size() >= max_states_) {
    outcome_.complete = false;
    return;
  }
  if (!first_visit(state)) return;
  bool all_started = true;
  for (std::uint32_t i = 0; i < scenario_.starts.size(); ++i) {
    if ((state.started & (1U << i)) != 0) continue;
    const StartSpec& start = scenario_.starts[i];
    if (start.with_tunnel_only) {
      if (!states_[start.host][state.hosts[start.host]].tunnels) continue;
    } else {
      all_started = false;
    }
    Global next = state;
    next.started = static_cast<std::uint8_t>(state.started | (1U << i));
    try_event({What::kStarts, i}, std::move(next), start.host, {EventKind::kStart, i});
  }
  visit_deliveries(state);
  for (std::uint32_t host = 0; host < scenario_.hosts.size(); ++host) {
    const auto& timer = states_[host][state.hosts[host]].timer;
    if (timer && *timer <= kBeginning.steady + budget_.horizon)
      try_event({What::kTimer, host}, state, host, {EventKind::kTimer});
  }
  if (state.flight.empty() && all_started) check_final(state);
}

void Explorer::visit_deliveries(const Global& state) {
  for (std::size_t i = 0; i < state.flight.size(); ++i) {
    if (i > 0 && state.flight[i] == state.flight[i - 1]) continue;  // alike
    const PacketId id = state.flight[i];
    Global gone = state;
    gone.flight.erase(gone.flight.begin() + static_cast<std::ptrdiff_t>(i));
    if (const auto to = packets_[id].to) {
      try_event({What::kArrives, id}, gone, *to, {EventKind::kReceive, id});
      if (state.duplicates > 0) {
        Global copied = state;
        --copied.duplicates;
        try_event({What::kArrivesTwice, id}, std::move(copied), *to, {EventKind::kReceive, id});
      }
      if (state.cuts > 0 && packets_[id].stage_2) {
        Global mangled = state;
        --mangled.cuts;
        try_event({What::kArrivesCut, id}, std::move(mangled), *to, {EventKind::kReceive, cut(id)});
      }
      if (state.drops == 0) continue;
      --gone.drops;  // what goes to nobody is gone anyway
    }
    if (const auto inner = packets_[id].inner)
      gone.lost = static_cast<std::uint8_t>(gone.lost | (1U << *inner));
    trace_.push_back({What::kDropped, id});
    visit(gone);
    trace_.pop_back();
  }
}

void Explorer::try_event(Happening happening, Global after, std::size_t host, Event event) {
  const Step& taken = step(host, after.hosts[host], event);
  ++outcome_.steps;
  after.hosts[host] = taken.next;
  after.flight.insert(after.flight.end(), taken.sent.begin(), taken.sent.end());
  std::ranges::sort(after.flight);
  after.lost = static_cast<std::uint8_t>(after.lost | taken.lost);
  trace_.push_back(happening);
  // Once for each address that it looks for.
  const std::size_t addresses = scenario_.hosts[host].second.empty() ? 1 : 2;
  if (states_[host][taken.next].wrong_answers > addresses)
    violation(scenario_.hosts[host].name + " asked a wrong host again");
  visit(after);
  trace_.pop_back();
}

bool Explorer::undisturbed(const Global& state) const {
  if (state.drops != budget_.drops || state.duplicates != budget_.duplicates) return false;
  for (std::size_t host = 0; host < scenario_.hosts.size(); ++host)
    if (states_[host][state.hosts[host]].aged) return false;
  return true;
}

std::string Explorer::text_of(const Happening& happening) const {
  const auto [what, which] = happening;
  switch (what) {
    case What::kStarts:
      return scenario_.hosts[scenario_.starts[which].host].name + " sends \"" +
             scenario_.starts[which].text + "\"";
    case What::kTimer:
      return scenario_.hosts[which].name + "'s timer fires";
    case What::kArrives:
      return packets_[which].label + " arrives";
    case What::kArrivesTwice:
      return packets_[which].label + " arrives, a copy stays behind";
    case What::kArrivesCut:
      return packets_[which].label + " arrives cut off, the whole one stays behind";
    case What::kDropped:
      return packets_[which].label + " is dropped";
  }
  return {};
}

// --- Hosts ---------------------------------------------------------------------------------

std::uint8_t Explorer::own_packets(std::size_t host) const {
  unsigned bits = 0;
  for (std::size_t i = 0; i < scenario_.starts.size(); ++i)
    if (scenario_.starts[i].host == host) bits |= 1U << i;
  return static_cast<std::uint8_t>(bits);
}

std::uint8_t Explorer::packets_with(const std::string& text) const {
  unsigned bits = 0;
  for (std::size_t i = 0; i < scenario_.starts.size(); ++i)
    if (scenario_.starts[i].text == text) bits |= 1U << i;
  return static_cast<std::uint8_t>(bits);
}

const Explorer::Step& Explorer::step(std::size_t host, StateId from, Event event) {
  const std::uint64_t key = (std::uint64_t{from} << 32U) | (std::uint64_t{event.which} << 2U) |
                            static_cast<std::uint64_t>(event.kind);
  if (const auto known = steps_[host].find(key); known != steps_[host].end()) return known->second;
  auto instance = instance_at(host, from);
  const Host& one = instance->host();
  const int timeouts = one.ended("timeout");
  const int early = one.refused("index_not_ready");
  const int unknown = one.refused("unknown_index");
  const bool waiting = one.pending() > 0 || one.ended("timeout") > 0;
  const std::size_t sessions = one.sessions().size();
  const std::size_t missed = one.missed.size();
  const int replayed = one.refused("replayed");
  apply(*instance, event);

  Step taken;
  // A queue is lost when no answer came in time, and so is a packet that waits for a stage 2 that
  // it overtook. A model loses the latter at once.
  if (one.ended("timeout") > timeouts) taken.lost = own_packets(host);
  const bool model = scenario_.hosts[host].kind != Kind::kOurs;
  const bool overtook = (model && one.refused("index_not_ready") > early) ||
                        (waiting && one.refused("unknown_index") > unknown);
  if (event.kind == EventKind::kReceive && overtook && packets_[event.which].inner)
    taken.lost = static_cast<std::uint8_t>(taken.lost | (1U << *packets_[event.which].inner));
  for (const std::string& text : std::span(one.missed).subspan(missed))
    taken.lost = static_cast<std::uint8_t>(taken.lost | packets_with(text));
  // 1.6.1 answers a repeated packet with a recv_error, and whoever heeds it loses the tunnel with
  // what is on the way: its own defect, seen of real peers.
  if (scenario_.hosts[host].kind == Kind::kOld && one.refused("replayed") > replayed)
    taken.lost = kAll;
  if (event.kind == EventKind::kReceive && packets_[event.which].models_error &&
      one.sessions().size() < sessions)
    taken.lost = kAll;
  for (Datagram& datagram : instance->take_sent())
    taken.sent.push_back(intern(std::move(datagram)));
  auto history = states_[host][from].history;
  history.push_back(event);
  taken.next = intern(host, std::move(instance), std::move(history));
  return steps_[host].emplace(key, std::move(taken)).first->second;
}

std::unique_ptr<Instance> Explorer::instance_at(std::size_t host, StateId state) {
  if (states_[host][state].live) return std::move(states_[host][state].live);
  auto instance = std::make_unique<Instance>(factories_[host]);
  for (const Event& event : states_[host][state].history) apply(*instance, event);
  static_cast<void>(instance->take_sent());
  return instance;
}

void Explorer::apply(Instance& instance, Event event) const {
  switch (event.kind) {
    case EventKind::kStart: {
      const StartSpec& start = scenario_.starts[event.which];
      return instance.host().send(overlays_of(scenario_.hosts[start.to])[start.to_second ? 1 : 0],
                                  start.text);
    }
    case EventKind::kTimer:
      return instance.fire_timer();
    case EventKind::kReceive:
      return instance.host().receive(packets_[event.which].datagram);
  }
}

Explorer::StateId Explorer::intern(std::size_t host, std::unique_ptr<Instance> instance,
                                   std::vector<Event> history) {
  const Host& one = instance->host();
  StateText text;
  text.number(static_cast<std::uint64_t>(instance->now().steady.time_since_epoch().count()));
  const auto wrong_answers = static_cast<std::size_t>(one.ended("wrong_responder"));
  text.number(wrong_answers);
  one.describe(text);
  const auto [at, fresh] =
      known_[host].try_emplace(text.take(), static_cast<StateId>(states_[host].size()));
  if (fresh) {
    states_[host].push_back({.history = std::move(history),
                             .timer = one.next_timeout(),
                             .wrong_answers = wrong_answers,
                             .aged = instance->now().steady != kBeginning.steady,
                             .tunnels = !one.sessions().empty(),
                             .live = std::move(instance)});
  }
  return at->second;
}

Explorer::PacketId Explorer::intern(Datagram datagram) {
  std::string key = datagram.from.to_string() + ">" + datagram.to.to_string() + ">";
  key.append(reinterpret_cast<const char*>(datagram.bytes.data()), datagram.bytes.size());
  const auto [at, fresh] =
      known_packets_.try_emplace(std::move(key), static_cast<PacketId>(packets_.size()));
  if (!fresh) return at->second;
  Packet packet;
  std::string from = "?";
  std::string to = "nobody";
  for (std::size_t i = 0; i < scenario_.hosts.size(); ++i) {
    const UnderlayAddr where = underlay_of(scenario_.hosts[i]);
    if (where == datagram.from) {
      from = scenario_.hosts[i].name;
      packet.models_error = scenario_.hosts[i].kind != Kind::kOurs;
    }
    if (where != datagram.to) continue;
    packet.to = i;
    to = scenario_.hosts[i].name;
  }
  for (std::size_t i = 0; i < scenario_.starts.size(); ++i)
    if (!datagram.inner.empty() && datagram.inner == scenario_.starts[i].text) packet.inner = i;
  const auto header = wire::parse_header(datagram.bytes);
  std::string what = "a packet";
  if (header) {
    packet.models_error = packet.models_error && header->type == wire::MessageType::kRecvError;
    what = std::string(wire::kMessageRules[static_cast<std::size_t>(header->type)].name);
    packet.stage_2 = header->type == wire::MessageType::kHandshake && header->counter == Counter{2};
    if (header->type == wire::MessageType::kHandshake)
      what = "stage " + std::to_string(header->counter.raw());
    what += " #" + std::to_string(packets_.size());
  }
  packet.label = what + " (" + from + " to " + to + ")";
  packet.datagram = std::move(datagram);
  packets_.push_back(std::move(packet));
  return at->second;
}

Explorer::PacketId Explorer::cut(PacketId packet) {
  Datagram shorter = packets_[packet].datagram;
  shorter.bytes.resize(shorter.bytes.size() - 16);
  return intern(std::move(shorter));
}

}  // namespace magnetar::sim::explore
