// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/explore/calm.h"

#include <algorithm>

namespace magnetar::sim::explore {
namespace {

bool is_stage_1(const Datagram& datagram) {
  const auto header = wire::parse_header(datagram.bytes);
  return header && header->type == wire::MessageType::kHandshake && header->counter == Counter{1};
}

}  // namespace

void Calm::send(std::size_t from, const VpnAddr& to, std::string_view text) {
  hosts_[from]->host().send(to, text);
  collect(from);
}

void Calm::collect(std::size_t host) {
  bool tried = false;
  for (Datagram& datagram : hosts_[host]->take_sent()) {
    tried = tried || is_stage_1(datagram);
    flight_.push_back({kLatency, std::move(datagram)});
  }
  if (tried) --tries_left_[host];
}

void Calm::deliver(const Datagram& datagram) {
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    if (hosts_[i]->host().underlay() != datagram.to) continue;
    hosts_[i]->host().receive(datagram);
    return collect(i);
  }
}

void Calm::fire(std::size_t host) {
  Host& one = hosts_[host]->host();
  const int before = one.refused("queue_lost");
  hosts_[host]->fire_timer();
  if (one.refused("queue_lost") > before) {
    if (tries_left_[host] <= 0) ++needless_timeouts_;
    timed_out_[host] = true;
  }
  collect(host);
}

bool Calm::run_for(Duration time) {
  constexpr int kTooMany = 20000;
  for (int i = 0; i < kTooMany; ++i) {
    std::optional<std::size_t> timer;
    Duration wait = time;
    for (std::size_t host = 0; host < hosts_.size(); ++host) {
      const auto until = hosts_[host]->until_timer();
      if (!until || *until >= wait) continue;
      wait = *until;
      timer = host;
    }
    const bool packet = !flight_.empty() && flight_.front().left <= wait;
    if (packet) wait = flight_.front().left;
    for (const auto& host : hosts_) host->pass(wait);
    for (OnTheWay& one : flight_) one.left -= wait;
    time -= wait;
    if (packet) {
      const Datagram next = std::move(flight_.front().datagram);
      flight_.pop_front();
      deliver(next);
    } else if (timer) {
      fire(*timer);
    } else {
      return true;
    }
  }
  return false;
}

}  // namespace magnetar::sim::explore
