// SPDX-License-Identifier: Apache-2.0
// Brings DPDK up from our configuration: cores, memory, device arguments. Start-up only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/base/result.h"

struct rte_mempool;

namespace magnetar {

// A device, memory or permission that is missing: what, and the command that would mend it.
struct DeviceError {
  std::string what;
};

enum class EalMemory : std::uint8_t { kAuto, kHugepages, kOrdinary };

struct EalOptions {
  std::vector<unsigned> worker_cores;
  unsigned control_core = 0;
  EalMemory memory = EalMemory::kAuto;
  std::uint32_t memory_mib = 256;     // what packets and rings will need
  std::vector<std::string> vdevs;     // "net_af_packet0,iface=eth1,..."
  std::vector<std::string> pci;       // "0000:3b:00.0"; empty: no PCI scan
  bool single_file_segments = false;  // vhost-user and memif zero-copy want it
};

// The arguments for rte_eal_init, argv[0] included. Pure; `free_hugepage_mib` decides kAuto.
// lcore 0 is the control thread, lcore 1 + i worker i, each pinned to its core (cores may repeat).
[[nodiscard]] std::vector<std::string> eal_arguments(const EalOptions& options,
                                                     std::uint64_t free_hugepage_mib);
// Free hugepage memory of this machine, from /sys/kernel/mm/hugepages.
[[nodiscard]] std::uint64_t free_hugepage_mib();

class Eal {
 public:
  // Once a process.
  [[nodiscard]] static Result<Eal, DeviceError> start(const EalOptions& options);
  ~Eal();  // rte_eal_cleanup
  Eal(Eal&& other) noexcept;
  Eal& operator=(Eal&&) = delete;
  [[nodiscard]] bool hugepages() const { return hugepages_; }

 private:
  explicit Eal(bool hugepages) : hugepages_(hugepages) {}
  bool owns_ = true;
  bool hugepages_ = false;
};

}  // namespace magnetar
