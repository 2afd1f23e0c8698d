// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/path_mtu.h"

namespace magnetar {

PathMtu::Step PathMtu::probe(std::uint32_t size) {
  probe_ = static_cast<std::uint16_t>(size);
  lost_ = 0;
  return {probe_, kAnswerWithin};
}

PathMtu::Step PathMtu::rest() {
  probe_ = 0;
  searching_ = false;
  return {std::nullopt, kConfirmEvery};
}

PathMtu::Step PathMtu::on_timer(Instant now, bool used) {
  if (probe_ != 0) {
    if (++lost_ < kProbes) return {probe_, kAnswerWithin};
    too_large_ = probe_;
    return failed();
  }
  if (!used) return rest();
  if (mtu_ == most_ || now - raised_at_ < kRaiseEvery) return probe(mtu_);
  // The path may have become wider.
  raised_at_ = now;
  searching_ = true;
  answered_ = mtu_;
  too_large_ = most_ + 1U;
  return probe(most_);
}

// Until something is answered it may be the peer, not the size.
PathMtu::Step PathMtu::failed() {
  if (!searching_) {
    searching_ = true;
    answered_ = 0;
  }
  if (answered_ != 0)
    return too_large_ - answered_ > 1U ? probe((answered_ + too_large_) / 2) : rest();
  if (too_large_ > kBase) return probe(kBase);
  if (too_large_ > least_) return probe(least_);
  return rest();
}

PathMtu::Step PathMtu::search(Instant now) {
  answered_ = mtu_ = probe_;
  if (too_large_ - answered_ > 1U) return probe((answered_ + too_large_) / 2);
  raised_at_ = now;
  return rest();
}

std::optional<PathMtu::Step> PathMtu::on_answer(std::uint16_t size, Instant now) {
  if (probe_ == 0 || size != probe_) return std::nullopt;
  return searching_ ? search(now) : rest();
}

}  // namespace magnetar
