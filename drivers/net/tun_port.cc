// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/tun_port.h"

#include <array>

#include <net/if.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet6.h>
#include <rte_mbuf.h>
#include <unistd.h>

#include "dataplane/base/check.h"
#include "drivers/net/netlink.h"
#include "drivers/net/rtnl.h"
#include "drivers/net/tun_device.h"

namespace magnetar {
namespace {

constexpr std::uint16_t kTailroom = 64;  // what PortQueue promises

class TunQueue final : public PortQueue {
 public:
  TunQueue(std::optional<int> read_fd, int write_fd, rte_mempool* pool)
      : read_fd_(read_fd), write_fd_(write_fd), pool_(pool) {}
  ~TunQueue() override { rte_pktmbuf_free_bulk(spares_.data(), spare_count_); }
  TunQueue(const TunQueue&) = delete;
  TunQueue& operator=(const TunQueue&) = delete;

  std::uint16_t receive(std::span<rte_mbuf*> into) override {
    if (!read_fd_) return 0;
    std::uint16_t count = 0;
    while (count < into.size()) {
      rte_mbuf* packet = spare();
      if (packet == nullptr) break;
      const auto room = static_cast<std::size_t>(rte_pktmbuf_tailroom(packet) - kTailroom);
      const ssize_t got = read(*read_fd_, rte_pktmbuf_mtod(packet, void*), room);
      if (got <= 0) break;
      packet->data_len = static_cast<std::uint16_t>(got);
      packet->pkt_len = static_cast<std::uint32_t>(got);
      --spare_count_;
      into[count++] = packet;
    }
    return count;
  }

  std::uint16_t transmit(std::span<rte_mbuf*> packets) override {
    std::uint16_t count = 0;
    for (rte_mbuf* packet : packets) {
      const ssize_t put = write(write_fd_, rte_pktmbuf_mtod(packet, void*), packet->data_len);
      if (put != packet->data_len) break;
      ++count;
    }
    rte_pktmbuf_free_bulk(packets.data(), count);
    return count;
  }

 private:
  // The buffer that the next packet is read into: kept when there is none, so that polling an idle
  // device costs one read() and no allocation.
  rte_mbuf* spare() {
    if (spare_count_ == 0) {
      if (rte_pktmbuf_alloc_bulk(pool_, spares_.data(), kSpares) != 0) return nullptr;
      spare_count_ = kSpares;
    }
    return spares_[spare_count_ - 1];
  }

  static constexpr unsigned kSpares = 32;

  std::optional<int> read_fd_;
  int write_fd_;
  rte_mempool* pool_;
  std::array<rte_mbuf*, kSpares> spares_{};
  unsigned spare_count_ = 0;
};

// Keeps the kernel from giving the device an IPv6 link-local address and talking on it (router
// solicitations, multicast listener reports): nobody in the overlay could answer. Best effort.
void silence_ipv6(int link_index) {
  constexpr std::uint8_t kNone = 1;  // IN6_ADDR_GEN_MODE_NONE
  const NlSocket socket = open_rtnl();
  const std::unique_ptr<rtnl_link, NlFree<rtnl_link_put>> which(rtnl_link_alloc());
  const std::unique_ptr<rtnl_link, NlFree<rtnl_link_put>> change(rtnl_link_alloc());
  if (!socket || !which || !change) return;
  rtnl_link_set_ifindex(which.get(), link_index);
  if (rtnl_link_inet6_set_addr_gen_mode(change.get(), kNone) == 0)
    rtnl_link_change(socket.get(), which.get(), change.get(), 0);
}

Result<void, DeviceError> configure(int link_index, const TunOptions& options) {
  silence_ipv6(link_index);
  if (auto done = set_link(link_index, options.mtu, true); !done) return done;
  for (const Prefix& address : options.addresses) {
    if (auto done = add_address(link_index, address); !done) return done;
  }
  return {};
}

}  // namespace

struct TunPort::Impl {
  std::string name;
  int link_index = 0;
  rte_mempool* pool = nullptr;
  std::vector<UniqueFd> queues;
};

TunPort::TunPort() : impl_(std::make_unique<Impl>()) {}
TunPort::~TunPort() = default;

Result<std::unique_ptr<TunPort>, DeviceError> TunPort::open(const TunOptions& options,
                                                            rte_mempool* pool) {
  constexpr unsigned kOverhead = RTE_PKTMBUF_HEADROOM + kTailroom;
  if (rte_pktmbuf_data_room_size(pool) < kOverhead + options.mtu)
    return fail(DeviceError{options.name + ": packets of mtu " + std::to_string(options.mtu) +
                            " do not fit the packet buffers"});
  std::unique_ptr<TunPort> port(new TunPort);
  Impl& impl = *port->impl_;
  impl.name = options.name;
  impl.pool = pool;
  auto first = create_tun(impl.name, TunKind::kTun, options.queues > 1);
  if (!first) return fail(std::move(first).error());
  impl.queues.push_back(std::move(*first));
  while (impl.queues.size() < options.queues) {
    auto next = add_tun_queue(impl.name, TunKind::kTun);
    if (!next) return fail(std::move(next).error());
    impl.queues.push_back(std::move(*next));
  }
  impl.link_index = static_cast<int>(if_nametoindex(impl.name.c_str()));
  if (auto done = configure(impl.link_index, options); !done) return fail(std::move(done).error());
  return port;
}

std::unique_ptr<PortQueue> TunPort::queue_for_worker(std::uint16_t worker,
                                                     std::optional<std::uint16_t> rx_queue) {
  MAGNETAR_CHECK(!rx_queue || *rx_queue < impl_->queues.size());
  std::optional<int> read_fd;
  if (rx_queue) read_fd = impl_->queues[*rx_queue].get();
  // Any number of threads may write to one descriptor; spreading them keeps them apart.
  const int write_fd = read_fd.value_or(impl_->queues[worker % impl_->queues.size()].get());
  return std::make_unique<TunQueue>(read_fd, write_fd, impl_->pool);
}

const std::string& TunPort::name() const { return impl_->name; }
int TunPort::link_index() const { return impl_->link_index; }

}  // namespace magnetar
