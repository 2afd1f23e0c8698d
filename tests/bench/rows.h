// SPDX-License-Identifier: Apache-2.0
// Which rows the suite has: what is measured, at which size, over how many sessions, and where the
// buffers lie.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/base/cipher.h"

namespace magnetar::bench {

enum class Subject : std::uint8_t {
  kBareSeal,
  kBareOpen,
  kSeal,
  kOpen,
  kDropForged,
  kDropReplayed,
  kDropUnknown,
};

struct Case {
  Subject subject;
  Cipher cipher;
  std::string size;
  std::vector<std::uint32_t> sizes;  // of inner packets, in turn
  std::size_t sessions;
  bool beyond_cache;
  bool inner_v6 = false;  // else the inner packets are IPv4

  [[nodiscard]] std::string pipeline() const;
  [[nodiscard]] std::string name() const;
};

// All of them, or those that show each effect once.
[[nodiscard]] std::vector<Case> make_cases(bool all);

}  // namespace magnetar::bench
