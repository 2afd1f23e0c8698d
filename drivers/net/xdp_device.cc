// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/xdp_device.h"

#include <vector>

#include <rte_spinlock.h>

#include "dataplane/base/check.h"
#include "drivers/net/interface.h"
#include "drivers/net/xdp_socket.h"
#include "drivers/net/xdp_steer.h"

namespace magnetar {
namespace {

constexpr const char* kCopies =
    "the driver of the interface copies each packet (no AF_XDP zero-copy)";

class XdpQueue final : public PortQueue {
 public:
  XdpQueue(XdpSocket* rx, XdpSocket& tx, rte_spinlock_t* shared)
      : rx_(rx), tx_(tx), shared_(shared) {}

  std::uint16_t receive(std::span<rte_mbuf*> into) override {
    return rx_ == nullptr ? std::uint16_t{0} : rx_->receive(into);
  }
  std::uint16_t transmit(std::span<rte_mbuf*> packets) override {
    if (shared_ == nullptr) return tx_.transmit(packets);
    rte_spinlock_lock(shared_);
    const std::uint16_t put = tx_.transmit(packets);
    rte_spinlock_unlock(shared_);
    return put;
  }
  [[nodiscard]] std::optional<int> readable_fd() const override {
    return rx_ == nullptr ? std::nullopt : std::optional(rx_->fd());
  }

 private:
  XdpSocket* rx_;
  XdpSocket& tx_;
  rte_spinlock_t* shared_;
};

class XdpDevice final : public OutsideDevice {
 public:
  XdpDevice(const MacAddr& mac, std::uint16_t workers,
            std::vector<std::unique_ptr<XdpSocket>> sockets, std::unique_ptr<XdpSteer> steer)
      : mac_(mac),
        workers_(workers),
        sockets_(std::move(sockets)),
        locks_(sockets_.size(), rte_spinlock_t RTE_SPINLOCK_INITIALIZER),
        steer_(std::move(steer)) {}

  std::unique_ptr<PortQueue> queue(std::uint16_t worker,
                                   std::optional<std::uint16_t> rx_queue) override {
    MAGNETAR_CHECK(!rx_queue || *rx_queue < sockets_.size());
    const std::size_t tx = worker % sockets_.size();
    return std::make_unique<XdpQueue>(rx_queue ? sockets_[*rx_queue].get() : nullptr, *sockets_[tx],
                                      workers_ > sockets_.size() ? &locks_[tx] : nullptr);
  }
  [[nodiscard]] MacAddr mac() const override { return mac_; }
  [[nodiscard]] std::uint16_t receive_queues() const override {
    return static_cast<std::uint16_t>(sockets_.size());
  }
  [[nodiscard]] std::uint16_t transmit_queues() const override { return receive_queues(); }
  [[nodiscard]] std::uint64_t rx_missed() const override {
    std::uint64_t sum = 0;
    for (const auto& socket : sockets_) sum += socket->missed();
    return sum;
  }
  [[nodiscard]] std::string note() const override {
    if (!steer_->native())
      return "the driver of the interface has no XDP of its own: the kernel's is slower";
    return sockets_.front()->zero_copy() ? "" : kCopies;
  }

 private:
  MacAddr mac_;
  std::uint16_t workers_;
  std::vector<std::unique_ptr<XdpSocket>> sockets_;
  std::vector<rte_spinlock_t> locks_;
  std::unique_ptr<XdpSteer> steer_;  // last, so that steering ends before the sockets do
};

Result<void, DeviceError> suitable(const InterfaceFacts& facts, const XdpDeviceOptions& options) {
  const std::uint16_t queues = options.queues;
  const std::string key = options.rule.networks.empty() ? "outside.queues" : "inside.queues";
  if (!facts.up)
    return fail(DeviceError{facts.name + " is down: ip link set " + facts.name + " up"});
  // A frame on a queue without a socket of ours would go to the kernel and be lost.
  if (facts.receive_queues != queues)
    return fail(DeviceError{facts.name + " spreads its traffic over " +
                            std::to_string(facts.receive_queues) + " queues, not " + key + " = " +
                            std::to_string(queues) + ": ethtool -L " + facts.name + " combined " +
                            std::to_string(queues)});
  return {};
}

}  // namespace

Result<std::unique_ptr<OutsideDevice>, DeviceError> open_xdp_device(const XdpDeviceOptions& options,
                                                                    rte_mempool* pool) {
  const auto facts = interface_facts(options.interface);
  if (!facts) return fail(facts.error());
  if (auto done = suitable(*facts, options); !done) return fail(std::move(done).error());
  const auto memory = pool_memory(pool, options.mtu);
  if (!memory) return fail(memory.error());
  auto steer = XdpSteer::load(*facts, options.rule);
  if (!steer) return fail(std::move(steer).error());

  std::vector<std::unique_ptr<XdpSocket>> sockets;
  for (std::uint32_t queue = 0; queue < options.queues; ++queue) {
    auto socket = XdpSocket::open(*facts, queue, *memory);
    if (!socket) return fail(std::move(socket).error());
    if (options.zero_copy_only && !(*socket)->zero_copy()) return fail(DeviceError{kCopies});
    if (auto done = (*steer)->add_socket(queue, (*socket)->fd()); !done)
      return fail(std::move(done).error());
    sockets.push_back(std::move(*socket));
  }
  if (auto done = (*steer)->prove(); !done) return fail(std::move(done).error());
  for (auto& socket : sockets) {
    if (auto done = socket->lend_buffers(); !done) return fail(std::move(done).error());
  }
  if (auto done = (*steer)->attach(); !done) return fail(std::move(done).error());
  return std::make_unique<XdpDevice>(facts->mac, options.workers, std::move(sockets),
                                     std::move(*steer));
}

}  // namespace magnetar
