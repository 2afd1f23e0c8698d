// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/xdp_socket.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <thread>

#include <linux/bpf.h>
#include <linux/if_xdp.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <sys/socket.h>

#include "drivers/net/os_error.h"
#include "drivers/net/outside_device.h"

namespace magnetar {
namespace {

constexpr std::uint32_t kRing = 2048;   // slots of each of the four rings
constexpr std::uint32_t kLent = kRing;  // mbufs the kernel has for receiving, at all times
constexpr std::uint32_t kBurst = 64;
constexpr std::uint64_t kPage = 4096;
constexpr std::uint32_t kMinChunk = 2048;  // XDP_UMEM_MIN_CHUNK_SIZE; at most a page

// No port has such a number, and mbufs in a pool have another (RTE_MBUF_PORT_INVALID).
constexpr std::uint16_t kFirstMark = 0xf000;

// Sockets of several interfaces share a pool.
std::uint16_t next_mark() {
  constexpr std::uint16_t kMarks = 0xf00;
  static std::atomic<std::uint16_t> next = 0;
  return static_cast<std::uint16_t>(kFirstMark + next.fetch_add(1) % kMarks);
}

struct Extent {
  std::uintptr_t begin = UINTPTR_MAX;
  std::uintptr_t end = 0;
};

void widen(rte_mempool*, void* extent, rte_mempool_memhdr* chunk, unsigned) {
  auto& to = *static_cast<Extent*>(extent);
  const auto begin = reinterpret_cast<std::uintptr_t>(chunk->addr);  // NOLINT: page arithmetic
  to.begin = std::min(to.begin, begin);
  to.end = std::max(to.end, begin + chunk->len);
}

int create_umem(xsk_umem** umem, const PoolMemory& memory, xsk_ring_prod* fill,
                xsk_ring_cons* completed) {
  xsk_umem_config config{};
  config.fill_size = kRing;
  config.comp_size = kRing;
  config.frame_size = rte_pktmbuf_data_room_size(memory.pool);
  // The kernel leaves XDP_PACKET_HEADROOM (256) free itself, which is more than we promise.
  config.frame_headroom = 0;
  config.flags = XDP_UMEM_UNALIGNED_CHUNK_FLAG;
  return xsk_umem__create(umem, memory.base, memory.size, fill, completed, &config);
}

}  // namespace

Result<PoolMemory, DeviceError> pool_memory(rte_mempool* pool, std::uint16_t mtu) {
  const std::uint32_t room = rte_pktmbuf_data_room_size(pool);
  if (room < kMinChunk || room > kPage)
    return fail(DeviceError{"AF_XDP takes packet buffers of 2048 to 4096 bytes, these have " +
                            std::to_string(room)});
  constexpr std::uint32_t kKernelHeadroom = XDP_PACKET_HEADROOM;
  if (room < kKernelHeadroom + kEthernetHeader + mtu + kPortTailroom)
    return fail(DeviceError{"AF_XDP cannot receive mtu " + std::to_string(mtu) +
                            " into packet buffers of " + std::to_string(room) + " bytes"});
  Extent extent;
  rte_mempool_mem_iter(pool, widen, &extent);
  const std::uintptr_t base = extent.begin & ~(kPage - 1);
  return PoolMemory{reinterpret_cast<std::byte*>(base),  // NOLINT: page arithmetic
                    extent.end - base, pool};
}

Result<std::unique_ptr<XdpSocket>, DeviceError> XdpSocket::open(const InterfaceFacts& interface,
                                                                std::uint32_t queue,
                                                                const PoolMemory& memory) {
  using std::chrono::milliseconds;
  std::unique_ptr<XdpSocket> self(new XdpSocket(memory));
  if (const int result = create_umem(&self->umem_, memory, &self->fill_, &self->completed_);
      result != 0)
    return fail(os_error("the kernel does not share packet buffers for AF_XDP", -result));
  xsk_socket_config config{};
  config.rx_size = kRing;
  config.tx_size = kRing;
  config.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD;
  config.bind_flags = XDP_USE_NEED_WAKEUP;
  int result = -EBUSY;
  // The kernel lets go of a closed socket's queue some time after the close.
  for (milliseconds waited{0}; waited <= milliseconds{1000}; waited += milliseconds{20}) {
    result = xsk_socket__create(&self->socket_, interface.name.c_str(), queue, self->umem_,
                                &self->rx_, &self->tx_, &config);
    if (result != -EBUSY) break;
    std::this_thread::sleep_for(milliseconds{20});
  }
  const std::string what = interface.name + ": no AF_XDP socket on queue " + std::to_string(queue);
  if (result == -EBUSY)
    return fail(DeviceError{what + ": another program has one there: ss --xdp -p"});
  if (result != 0) return fail(os_error(what, -result));
  return self;
}

XdpSocket::XdpSocket(const PoolMemory& memory) : memory_(memory), mark_(next_mark()) {}

XdpSocket::~XdpSocket() {
  const bool take = socket_ != nullptr && !zero_copy();
  if (socket_ != nullptr) xsk_socket__delete(socket_);
  if (umem_ != nullptr) xsk_umem__delete(umem_);
  if (take) take_back();
}

void XdpSocket::take_back() {
  rte_mempool_obj_iter(
      memory_.pool,
      [](rte_mempool*, void* self, void* object, unsigned) {
        auto* packet = static_cast<rte_mbuf*>(object);
        if (packet->port != static_cast<const XdpSocket*>(self)->mark_) return;
        packet->port = RTE_MBUF_PORT_INVALID;
        rte_pktmbuf_free(packet);
      },
      this);
}

Result<void, DeviceError> XdpSocket::lend_buffers() {
  for (std::uint32_t lent = 0; lent < kLent; lent += kBurst) {
    if (!refill(kBurst))
      return fail(DeviceError{"the packet pool is too small for AF_XDP, which keeps " +
                              std::to_string(kLent) + " buffers a queue"});
  }
  return {};
}

bool XdpSocket::zero_copy() const {
  xdp_options options{};
  socklen_t size = sizeof(options);
  return getsockopt(fd(), SOL_XDP, XDP_OPTIONS, &options, &size) == 0 &&
         (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
}

rte_mbuf* XdpSocket::mbuf_at(std::uint64_t address) const {
  std::byte* buffer = memory_.base + xsk_umem__extract_addr(address);
  return reinterpret_cast<rte_mbuf*>(  // NOLINT: the buffer follows its mbuf and private area
      buffer - sizeof(rte_mbuf) - rte_pktmbuf_priv_size(memory_.pool));
}

std::uint64_t XdpSocket::address_of(const rte_mbuf* packet) const {
  return static_cast<std::uint64_t>(static_cast<const std::byte*>(packet->buf_addr) - memory_.base);
}

bool XdpSocket::refill(std::uint32_t count) {
  std::array<rte_mbuf*, kBurst> fresh;
  if (rte_pktmbuf_alloc_bulk(memory_.pool, fresh.data(), count) != 0) return false;
  std::uint32_t at = 0;
  if (xsk_ring_prod__reserve(&fill_, count, &at) != count) {
    rte_pktmbuf_free_bulk(fresh.data(), count);
    return false;
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    fresh[i]->port = mark_;
    *xsk_ring_prod__fill_addr(&fill_, at + i) = address_of(fresh[i]);
  }
  xsk_ring_prod__submit(&fill_, count);
  return true;
}

rte_mbuf* XdpSocket::received(const xdp_desc& descriptor) {
  rte_mbuf* packet = mbuf_at(descriptor.addr);
  packet->port = RTE_MBUF_PORT_INVALID;
  const std::uint64_t offset = xsk_umem__extract_offset(descriptor.addr);
  if (offset + descriptor.len + kPortTailroom > packet->buf_len) {
    oversized_.fetch_add(1, std::memory_order_relaxed);
    rte_pktmbuf_free(packet);
    return nullptr;
  }
  packet->data_off = static_cast<std::uint16_t>(offset);
  packet->data_len = static_cast<std::uint16_t>(descriptor.len);
  packet->pkt_len = descriptor.len;
  return packet;
}

std::uint16_t XdpSocket::receive(std::span<rte_mbuf*> into) {
  std::uint32_t at = 0;
  const auto wanted = static_cast<std::uint32_t>(std::min<std::size_t>(into.size(), kBurst));
  const std::uint32_t got = xsk_ring_cons__peek(&rx_, wanted, &at);
  if (got == 0) {
    // Only drivers that fill buffers themselves ask for it: they ran out and wait for us.
    if (xsk_ring_prod__needs_wakeup(&fill_))
      recvfrom(fd(), nullptr, 0, MSG_DONTWAIT, nullptr, nullptr);
    return 0;
  }
  // The kernel keeps as many as it had, or nothing is taken from it.
  if (!refill(got)) {
    xsk_ring_cons__cancel(&rx_, got);
    return 0;
  }
  std::uint16_t kept = 0;
  for (std::uint32_t i = 0; i < got; ++i) {
    rte_mbuf* packet = received(*xsk_ring_cons__rx_desc(&rx_, at + i));
    if (packet != nullptr) into[kept++] = packet;
  }
  xsk_ring_cons__release(&rx_, got);
  return kept;
}

// Frees the mbufs that have been sent.
void XdpSocket::reclaim() {
  std::array<rte_mbuf*, kBurst> sent;
  std::uint32_t at = 0;
  while (const std::uint32_t count = xsk_ring_cons__peek(&completed_, kBurst, &at)) {
    for (std::uint32_t i = 0; i < count; ++i) {
      sent[i] = mbuf_at(*xsk_ring_cons__comp_addr(&completed_, at + i));
      sent[i]->port = RTE_MBUF_PORT_INVALID;
    }
    xsk_ring_cons__release(&completed_, count);
    rte_pktmbuf_free_bulk(sent.data(), count);
  }
}

// Has the kernel send what is in the ring. Without zero-copy it sends a few dozen a call and says
// EAGAIN when there are more.
void XdpSocket::kick() {
  if (!xsk_ring_prod__needs_wakeup(&tx_)) return;
  constexpr std::uint32_t kCalls = kRing / 16;
  for (std::uint32_t i = 0; i < kCalls; ++i) {
    if (sendto(fd(), nullptr, 0, MSG_DONTWAIT, nullptr, 0) >= 0 || errno != EAGAIN) return;
    reclaim();
  }
}

std::uint16_t XdpSocket::transmit(std::span<rte_mbuf*> packets) {
  reclaim();
  const std::uint32_t free = xsk_prod_nb_free(&tx_, static_cast<std::uint32_t>(packets.size()));
  const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(packets.size(), free));
  std::uint32_t at = 0;
  if (count != 0 && xsk_ring_prod__reserve(&tx_, count, &at) == count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      rte_mbuf* packet = packets[i];
      packet->port = mark_;
      const std::uint64_t offset = packet->data_off;
      *xsk_ring_prod__tx_desc(&tx_, at + i) = {
          .addr = address_of(packet) | (offset << XSK_UNALIGNED_BUF_OFFSET_SHIFT),
          .len = packet->data_len,
          .options = 0};
    }
    xsk_ring_prod__submit(&tx_, count);
  }
  kick();
  return static_cast<std::uint16_t>(count);
}

std::uint64_t XdpSocket::missed() const {
  xdp_statistics statistics{};
  socklen_t size = sizeof(statistics);
  if (getsockopt(fd(), SOL_XDP, XDP_STATISTICS, &statistics, &size) != 0) return 0;
  return statistics.rx_dropped + statistics.rx_ring_full +
         oversized_.load(std::memory_order_relaxed);
}

}  // namespace magnetar
