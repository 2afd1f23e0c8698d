// SPDX-License-Identifier: Apache-2.0
// MAGNETAR_CHECK: start-up and control-thread invariants, always on. MAGNETAR_DCHECK: debug builds.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace magnetar {

[[noreturn]] inline void check_failed(const char* what, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
  std::abort();
}

}  // namespace magnetar

#define MAGNETAR_CHECK(condition) \
  ((condition) ? void(0) : ::magnetar::check_failed(#condition, __FILE__, __LINE__))

#ifdef NDEBUG
#define MAGNETAR_DCHECK(condition) void(sizeof(condition))
#else
#define MAGNETAR_DCHECK(condition) MAGNETAR_CHECK(condition)
#endif
