// SPDX-License-Identifier: Apache-2.0
#include "controlplane/data_plane_memory.h"

#include <algorithm>
#include <vector>

#include <rte_mbuf.h>

#include "dataplane/packet/meta.h"
#include "drivers/net/port.h"

namespace magnetar {
namespace {

constexpr unsigned kMbufsBase = 8192;      // rings and bursts in flight
constexpr unsigned kMbufsPerQueue = 8192;  // descriptors of a queue pair, both ways
constexpr unsigned kPoolCache = 256;

std::uint16_t data_room(const config::Config& config) {
  return packet_data_room(std::max(config.outside.mtu, config.inside.mtu));
}

unsigned mbufs_of(const config::Config& config) {
  const auto workers = static_cast<unsigned>(config.workers.cores.size());
  const unsigned inside = config.inside.port || config.inside.vhost
                              ? std::max<unsigned>(workers, config.inside.queues)
                              : 0;
  return kMbufsBase +
         kMbufsPerQueue * (std::max<unsigned>(workers, config.outside.queues) + inside);
}

// Of DPDK's memory: packets, and rings within the rest. Sessions and routes lie in memory of their
// own (dataplane/base/huge_memory.h), which takes none of the huge pages set aside.
std::uint32_t memory_mib(const config::Config& config) {
  const std::uint64_t mbuf = sizeof(rte_mbuf) + kMbufPrivateSize + data_room(config) + 64;
  return static_cast<std::uint32_t>(mbuf * mbufs_of(config) / (1024 * 1024) + 64);
}

static_assert(static_cast<int>(config::Memory::kAuto) == static_cast<int>(EalMemory::kAuto) &&
              static_cast<int>(config::Memory::kOrdinary) ==
                  static_cast<int>(EalMemory::kOrdinary));

}  // namespace

EalOptions eal_options(const config::Config& config) {
  EalOptions options;
  options.worker_cores = config.workers.cores;
  options.control_core = config.workers.control_core;
  options.memory = static_cast<EalMemory>(config.workers.memory);
  options.memory_mib = memory_mib(config);
  std::vector<config::Port> ports{{config.outside.kind, config.outside.port}};
  if (config.inside.port) ports.push_back(*config.inside.port);
  for (const config::Port& port : ports) {
    if (port.kind == config::PortKind::kPci) options.pci.push_back(port.name);
    options.single_file_segments |=
        port.name.starts_with("net_memif") || port.name.starts_with("net_virtio_user");
  }
  return options;
}
PacketPoolShape packet_pool_shape(const config::Config& config) {
  return {.name = "magnetar_packets",
          .mbufs = mbufs_of(config) - 1,  // 2^n - 1 wastes least, and this is close
          .cache = kPoolCache,
          .data_room = data_room(config)};
}

bool all_ports_are_the_kernels(const config::Config& config) {
  constexpr auto kInterface = config::PortKind::kInterface;
  return config.outside.kind == kInterface && !config.inside.vhost &&
         (!config.inside.port || config.inside.port->kind == kInterface);
}

}  // namespace magnetar
