// SPDX-License-Identifier: Apache-2.0
// The EAL starts once a process: here, after the process moved into a network namespace of its own.
#include <cstdio>
#include <string_view>

#include <gtest/gtest.h>
#include <unistd.h>

#include "drivers/eal.h"
#include "tests/unit/drivers/net/testbed.h"

namespace {

constexpr int kSkipped = 77;  // as Meson understands it
constexpr std::uint32_t kMemoryMib = 128;

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const bool hugepages = argc > 1 && std::string_view(argv[1]) == "--hugepages";
  if (hugepages && magnetar::free_hugepage_mib() < kMemoryMib) {
    std::fprintf(stderr, "skipped: fewer than %u MiB of free hugepages\n", kMemoryMib);
    return kSkipped;
  }
  if (geteuid() != 0 || !magnetar::testbed::enter_namespace()) {
    std::fprintf(stderr, "skipped: needs root for a network namespace\n");
    return kSkipped;
  }
  magnetar::EalOptions options;
  options.worker_cores = {0};
  options.memory = hugepages ? magnetar::EalMemory::kHugepages : magnetar::EalMemory::kOrdinary;
  options.memory_mib = kMemoryMib;
  options.single_file_segments = true;  // vhost_test.cc wants it
  const auto eal = magnetar::Eal::start(options);
  if (!eal) {
    std::fprintf(stderr, "%s\n", eal.error().what.c_str());
    return 1;
  }
  return RUN_ALL_TESTS();
}
