// SPDX-License-Identifier: Apache-2.0
#include "tests/support/eal.h"

#include <array>
#include <atomic>
#include <string>

#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "dataplane/base/check.h"
#include "dataplane/packet/pool.h"

namespace magnetar::testing {

void ensure_eal(unsigned megabytes) {
  static const bool started = [megabytes] {
    const std::string memory = std::to_string(megabytes);
    std::array<const char*, 10> arguments{
        "test", "--no-huge",    "--no-shconf",    "--no-pci",      "--no-telemetry",
        "-m",   memory.c_str(), "--iova-mode=va", "--log-level=4", "--lcores=0@0"};
    // The EAL reorders its arguments but does not write to them.
    return rte_eal_init(static_cast<int>(arguments.size()), const_cast<char**>(arguments.data())) >=
           0;
  }();
  MAGNETAR_CHECK(started);
}

void PoolDeleter::operator()(rte_mempool* pool) const { rte_mempool_free(pool); }

Pool make_pool(unsigned mbufs, std::uint16_t data_room) {
  ensure_eal();
  static std::atomic<unsigned> instances{0};
  const std::string name = "test_pool_" + std::to_string(instances++);
  rte_mempool* pool =
      make_packet_pool({.name = name.c_str(), .mbufs = mbufs, .data_room = data_room});
  MAGNETAR_CHECK(pool != nullptr);
  return Pool(pool);
}

}  // namespace magnetar::testing
