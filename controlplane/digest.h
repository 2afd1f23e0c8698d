// SPDX-License-Identifier: Apache-2.0
// Where a state machine describes its state, so that a search over states can tell whether it has
// been there before. What may differ between two runs of the same story has a method of its own.
#pragma once

#include <cstdint>
#include <string_view>

#include "dataplane/base/bytes.h"
#include "dataplane/base/time.h"

namespace magnetar {

class DigestSink {
 public:
  virtual ~DigestSink() = default;
  // What follows, so that two lists of numbers cannot be taken for each other.
  virtual void label(std::string_view name) = 0;
  // A value that means the same in every run: an address, a flag, a count, queued bytes.
  virtual void value(ByteView bytes) = 0;
  virtual void number(std::uint64_t number) = 0;
  // Random: only which others it equals matters, here and in other nodes.
  virtual void index(std::uint32_t index) = 0;
  virtual void opaque(ByteView bytes) = 0;
  // A time stamp of somebody's wall clock: only the order among all of them matters.
  virtual void stamp(std::uint64_t stamp) = 0;
  // Relative to now: to come, or (negative) gone by.
  virtual void timer(Duration from_now) = 0;
};

}  // namespace magnetar
