// SPDX-License-Identifier: Apache-2.0
// Rules that a test build (MAGNETAR_MUTATIONS) can break on purpose, one at a time, to show that
// the search over states in tests/sim/explore would notice. In any other build this says "no" at
// compile time and nothing of it remains.
#pragma once

#include <cstdint>

namespace magnetar {

enum class Rule : std::uint8_t {
  kNone,
  kHigherAddressWins,       // else: both stay initiators of a race
  kLoserStandsDown,         // else: its attempt goes on
  kQueueMoves,              // else: the loser's queue is lost
  kCachedStage2,            // else: a repeated stage 1 gets no answer, or a new one
  kLoserHearsLateStage2,    // else: the answer to an attempt that stood down is not understood
  kUnconfirmedIsSpare,      // else: a stage 1 alone replaces a tunnel that works
  kCertificateNamesTarget,  // else: whoever answers is taken for the target
  kWrongAddressBlocked,     // else: the wrong host is asked again
  kWrongHostTold,           // else: it keeps its end
  kQueueSurvivesWrongHost,  // else: what waited is lost
  kLateStage2Ignored,       // else: it ends the attempt that came after
  kTransactionalRead,       // else: a stage 2 that does not authenticate ends the attempt
  kEarlyDataWaits,          // else: data that overtakes its stage 2 is lost
  kAttemptsEnd,             // else: an attempt goes on for ever
  kDeadTunnelsEnd,          // else: a tunnel without another end stays
};

#ifdef MAGNETAR_MUTATIONS
inline Rule broken_rule = Rule::kNone;
inline bool mutated(Rule rule) { return rule == broken_rule; }
#else
constexpr bool mutated(Rule) { return false; }
#endif

}  // namespace magnetar
