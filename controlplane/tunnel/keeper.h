// SPDX-License-Identifier: Apache-2.0
// The connection manager (handshake.md sections 8, 9.2 and 15): looks at each tunnel every so often
// and tests, replaces, prefers or closes it. Control thread only.
#pragma once

#include "controlplane/tunnel/initiator_side.h"
#include "dataplane/base/token_bucket.h"

namespace magnetar {

// From here on a session is replaced, and from there on it is not used at all: a counter that came
// round would repeat a nonce.
inline constexpr std::uint64_t kCounterRehandshake = std::uint64_t{1} << 34U;
inline constexpr std::uint64_t kCounterCeiling = ~std::uint64_t{0} - (std::uint64_t{1} << 40U);

class Keeper {
 public:
  Keeper(Core& core, Lifecycle& lifecycle, InitiatorSide& initiator)
      : core_(core), lifecycle_(lifecycle), initiator_(initiator) {}

  void on_time(Now now, Actions& out);

 private:
  void check(Tunnel& tunnel, Now now, Actions& out);
  // A spare tunnel whose peer has not been heard on it yet.
  [[nodiscard]] bool poll_again(Tunnel& tunnel, Now now);
  [[nodiscard]] std::optional<Refusal> no_longer_good(const Tunnel& tunnel, Now now) const;
  void on_alive(Tunnel& tunnel, bool tested, Now now, Actions& out);
  void renew(Tunnel& tunnel, std::uint8_t version, Now now, Actions& out);
  // An address that it is used for and that a tunnel would serve in which our certificate of that
  // version is shown.
  [[nodiscard]] std::optional<VpnAddr> replaceable(const Tunnel& tunnel,
                                                   std::uint8_t version) const;
  void close_spare(const Tunnel& tunnel, Now now, Actions& out);
  void on_silent(Tunnel& tunnel, bool used, Now now, Actions& out);
  // The version of our certificate for a tunnel in place of this one; none: it may stay.
  [[nodiscard]] std::optional<std::uint8_t> wanted(const Tunnel& tunnel) const;
  [[nodiscard]] bool should_be_preferred(const Tunnel& tunnel, Now now) const;

  Core& core_;
  Lifecycle& lifecycle_;
  InitiatorSide& initiator_;
  TokenBucket renewals_{};
};

}  // namespace magnetar
