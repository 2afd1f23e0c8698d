// SPDX-License-Identifier: Apache-2.0
// One host with a clock of its own: what it sends is collected, and its timers fire when it is told
// so. Clocks of different hosts are not tied to each other, so that a search can order timers as it
// likes.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/host.h"
#include "tests/support/identities.h"

namespace magnetar::sim::explore {

inline constexpr Now kBeginning{Instant{std::chrono::seconds(1000)}, testing::kWallStart};

class OwnNet final : public Net {
 public:
  [[nodiscard]] Now now() const override { return now_; }
  void transmit(Datagram datagram) override { sent.push_back(std::move(datagram)); }
  void wake(Host&, std::optional<Instant>) override {}
  void pass(Duration time) {
    now_.steady += time;
    now_.wall += time;
  }

  std::vector<Datagram> sent;

 private:
  Now now_ = kBeginning;
};

using Factory = std::function<std::unique_ptr<Host>(Net&)>;

class Instance {
 public:
  explicit Instance(const Factory& make) : host_(make(net_)) {}

  [[nodiscard]] Host& host() { return *host_; }
  [[nodiscard]] const Host& host() const { return *host_; }
  [[nodiscard]] Now now() const { return net_.now(); }
  void pass(Duration time) { net_.pass(time); }
  [[nodiscard]] std::vector<Datagram> take_sent() { return std::exchange(net_.sent, {}); }

  // Until the next timer; zero if it is due. None: there is none.
  [[nodiscard]] std::optional<Duration> until_timer() const {
    const auto next = host_->next_timeout();
    if (!next) return std::nullopt;
    return std::max(*next - net_.now().steady, Duration::zero());
  }
  void fire_timer() {
    if (const auto wait = until_timer()) pass(*wait);
    host_->on_time();
  }

 private:
  OwnNet net_;
  std::unique_ptr<Host> host_;
};

// The whole state of a host as bytes, absolute in time and in every random draw: draws repeat with
// the number of draws so far, so histories that drew alike meet again.
class StateText final : public DigestSink {
 public:
  void label(std::string_view name) override { text_ += name; }
  void value(ByteView bytes) override {
    number(bytes.size());
    text_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  void number(std::uint64_t number) override {
    text_.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
  void index(std::uint32_t index) override { number(index); }
  void opaque(ByteView bytes) override { value(bytes); }
  void stamp(std::uint64_t stamp) override { number(stamp); }
  void timer(Duration from_now) override { number(static_cast<std::uint64_t>(from_now.count())); }

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace magnetar::sim::explore
