// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/rows.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace magnetar::bench {
namespace {

constexpr std::array<std::string_view, 7> kPipelines{
    "bare-seal", "bare-open", "seal", "open", "drop-forged", "drop-replayed", "drop-unknown"};
constexpr std::array kSubjects{Subject::kBareSeal,   Subject::kBareOpen,   Subject::kSeal,
                               Subject::kOpen,       Subject::kDropForged, Subject::kDropReplayed,
                               Subject::kDropUnknown};

struct Size {
  std::string name;
  std::vector<std::uint32_t> bytes;
};

std::vector<Size> all_sizes() {
  std::vector<Size> sizes;
  for (const std::uint32_t bytes : {64U, 128U, 256U, 512U, 1024U, 1420U, 8900U})
    sizes.push_back({std::to_string(bytes), {bytes}});
  sizes.push_back({"imix", {64, 64, 64, 64, 64, 64, 64, 594, 594, 594, 594, 1518}});
  return sizes;
}

bool is_drop(Subject subject) { return subject >= Subject::kDropForged; }

// What the short run shows: every size with one session, every number of sessions at the sizes
// that the goals name, and buffers in memory there as well.
bool in_short_run(const Case& c) {
  const bool goal_size = c.size == "64" || c.size == "1420" || c.size == "imix";
  if (is_drop(c.subject)) return c.size == "1420" && c.sessions <= 1000;
  if (c.cipher == Cipher::kChaCha20Poly1305) return c.sessions == 1 && goal_size && !c.beyond_cache;
  if (c.sessions == 1) return !c.beyond_cache || goal_size;
  return goal_size && !c.beyond_cache;
}

// Where its cost shows: the pipelines, any size, alone and among others.
bool has_ipv6_row(const Case& c) {
  return (c.subject == Subject::kSeal || c.subject == Subject::kOpen) &&
         c.cipher == Cipher::kAes256Gcm && !c.beyond_cache && c.sessions <= 10'000;
}

}  // namespace

std::string Case::pipeline() const {
  return std::string(kPipelines[static_cast<std::size_t>(subject)]);
}

std::string Case::name() const {
  return pipeline() + (inner_v6 ? "-ipv6" : "") + "/" + std::string(cipher_name(cipher)) + "/" +
         size + "/" + std::to_string(sessions) + (beyond_cache ? "/memory" : "/cache");
}

std::vector<Case> make_cases(bool all) {
  std::vector<Case> cases;
  for (const Cipher cipher : {Cipher::kAes256Gcm, Cipher::kChaCha20Poly1305})
    for (const Subject subject : kSubjects)
      for (const bool beyond_cache : {false, true})
        for (const std::size_t sessions : {1U, 1'000U, 10'000U, 100'000U})
          for (const Size& size : all_sizes()) {
            // Dropped packets leave their buffers, so these do not stay where they were put.
            if (beyond_cache && is_drop(subject)) continue;
            Case c{subject, cipher, size.name, size.bytes, sessions, beyond_cache};
            if (!all && !in_short_run(c)) continue;
            cases.push_back(c);
            if (!has_ipv6_row(c)) continue;
            c.inner_v6 = true;  // right after the row that it is compared with
            cases.push_back(std::move(c));
          }
  return cases;
}

}  // namespace magnetar::bench
