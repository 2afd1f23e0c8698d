// SPDX-License-Identifier: Apache-2.0
#include "drivers/eal.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace magnetar {
namespace {

constexpr std::uint64_t kNone = 0;
constexpr std::uint64_t kPlenty = 4096;

EalOptions options() {
  EalOptions o;
  o.worker_cores = {2, 3, 3};
  o.control_core = 1;
  o.memory_mib = 256;
  return o;
}

bool has(const std::vector<std::string>& arguments, const std::string& what) {
  return std::ranges::find(arguments, what) != arguments.end();
}

TEST(EalArguments, PinsEveryThreadToItsCore) {
  const auto arguments = eal_arguments(options(), kNone);
  EXPECT_EQ(arguments.front(), "magnetar");
  EXPECT_TRUE(has(arguments, "--lcores=0@1,1@2,2@3,3@3"));
}

TEST(EalArguments, ChoosesMemory) {
  struct Case {
    const char* why;
    EalMemory memory;
    std::uint64_t free_mib;
    bool huge;
  };
  const Case cases[] = {
      {"auto without hugepages", EalMemory::kAuto, kNone, false},
      {"auto with one MiB too few", EalMemory::kAuto, 255, false},
      {"auto with just enough", EalMemory::kAuto, 256, true},
      {"ordinary although there are hugepages", EalMemory::kOrdinary, kPlenty, false},
      {"hugepages as asked for", EalMemory::kHugepages, kPlenty, true},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    EalOptions o = options();
    o.memory = c.memory;
    const auto arguments = eal_arguments(o, c.free_mib);
    EXPECT_EQ(has(arguments, "--in-memory"), c.huge);
    EXPECT_EQ(has(arguments, "--no-huge"), !c.huge);
    const auto m = std::ranges::find(arguments, "-m");
    ASSERT_NE(m, arguments.end());
    EXPECT_EQ(*(m + 1), c.huge ? "256" : "512") << "an ordinary page holds one packet buffer";
  }
}

TEST(EalArguments, NamesOnlyTheDevicesAskedFor) {
  EalOptions o = options();
  EXPECT_TRUE(has(eal_arguments(o, kNone), "--no-pci"));
  EXPECT_TRUE(has(eal_arguments(o, kPlenty), "--iova-mode=va"))
      << "AF_XDP needs a pool in one piece";

  o.pci = {"0000:3b:00.0"};
  o.vdevs = {"net_null0,size=64"};
  o.single_file_segments = true;
  const auto arguments = eal_arguments(o, kPlenty);
  EXPECT_FALSE(has(arguments, "--no-pci"));
  EXPECT_FALSE(has(arguments, "--iova-mode=va")) << "the device's driver decides";
  EXPECT_TRUE(has(arguments, "0000:3b:00.0"));
  EXPECT_TRUE(has(arguments, "--vdev=net_null0,size=64"));
  EXPECT_TRUE(has(arguments, "--single-file-segments"));
}

TEST(EalStart, RefusesWhatDpdkWouldDieOf) {
  EalOptions no_such_core = options();
  no_such_core.worker_cores = {1000};
  const auto core = Eal::start(no_such_core);
  ASSERT_FALSE(core);
  EXPECT_NE(core.error().what.find("core 1000"), std::string::npos);

  EalOptions too_much = options();
  too_much.memory = EalMemory::kHugepages;
  too_much.memory_mib = 1U << 30U;  // a pebibyte
  const auto memory = Eal::start(too_much);
  ASSERT_FALSE(memory);
  EXPECT_NE(memory.error().what.find("sysctl -w vm.nr_hugepages="), std::string::npos);
}

}  // namespace
}  // namespace magnetar
