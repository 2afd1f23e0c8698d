// SPDX-License-Identifier: Apache-2.0
// One AF_XDP socket: a receive and a transmit queue of a kernel interface whose packets are the
// mbufs of a pool, without a copy on our side.
//
// Not DPDK's own driver: that one never gives back its socket and buffers when opening fails or
// the port closes (so AF_PACKET cannot follow in the same process), may sleep a second in a
// receive, and leaves its program on the interface when the process is killed.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include <rte_spinlock.h>
#include <xdp/xsk.h>

#include "dataplane/base/result.h"
#include "drivers/eal.h"
#include "drivers/net/interface.h"

struct rte_mbuf;
struct rte_mempool;

namespace magnetar {

// The memory that a pool's mbufs are in, as the kernel registers it: page-aligned.
struct PoolMemory {
  std::byte* base = nullptr;
  std::uint64_t size = 0;
  rte_mempool* pool = nullptr;
};
// Error: packets of `mtu` in this pool cannot be shared with the kernel.
[[nodiscard]] Result<PoolMemory, DeviceError> pool_memory(rte_mempool* pool, std::uint16_t mtu);

class XdpSocket {
 public:
  [[nodiscard]] static Result<std::unique_ptr<XdpSocket>, DeviceError> open(
      const InterfaceFacts& interface, std::uint32_t queue, const PoolMemory& memory);
  // Takes the mbufs back that the kernel still has (without zero-copy: a device may go on writing
  // into its own for a while, so those are lost to the pool). The pool must be there still.
  ~XdpSocket();
  XdpSocket(const XdpSocket&) = delete;
  XdpSocket& operator=(const XdpSocket&) = delete;

  // Lends the kernel mbufs to receive into. Once, before the first receive.
  [[nodiscard]] Result<void, DeviceError> lend_buffers();
  [[nodiscard]] int fd() const { return xsk_socket__fd(socket_); }
  [[nodiscard]] bool zero_copy() const;

  // By one thread at a time, each; the two may run at once.
  std::uint16_t receive(std::span<rte_mbuf*> into);
  std::uint16_t transmit(std::span<rte_mbuf*> packets);

  // Any thread. What arrived for us and found no buffer, no slot, or was too big.
  [[nodiscard]] std::uint64_t missed() const;

 private:
  explicit XdpSocket(const PoolMemory& memory);
  void take_back();
  bool refill(std::uint32_t count);
  void reclaim();
  void kick();
  rte_mbuf* received(const xdp_desc& descriptor);
  [[nodiscard]] rte_mbuf* mbuf_at(std::uint64_t address) const;
  [[nodiscard]] std::uint64_t address_of(const rte_mbuf* packet) const;

  PoolMemory memory_;
  std::uint16_t mark_;  // in the port field of mbufs that the kernel has
  xsk_umem* umem_ = nullptr;
  xsk_socket* socket_ = nullptr;
  xsk_ring_cons rx_{};
  xsk_ring_prod fill_{};
  std::atomic<std::uint64_t> oversized_ = 0;
  alignas(64) xsk_ring_prod tx_{};
  xsk_ring_cons completed_{};
};

}  // namespace magnetar
