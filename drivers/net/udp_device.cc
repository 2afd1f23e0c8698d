// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/udp_device.h"

#include <deque>

#include "dataplane/base/check.h"
#include "drivers/net/interface.h"
#include "drivers/net/udp_receiver.h"
#include "drivers/net/udp_sender.h"
#include "drivers/net/udp_socket.h"

namespace magnetar {
namespace {

struct Socket {
  UniqueFd fd;
  std::atomic<std::uint64_t> oversized = 0;
};

class UdpQueue final : public PortQueue {
 public:
  // `rx`: the receiver's socket.
  UdpQueue(std::unique_ptr<UdpReceiver> receiver, std::optional<int> rx, UdpSender sender)
      : receiver_(std::move(receiver)), rx_(rx), sender_(sender) {}

  std::uint16_t receive(std::span<rte_mbuf*> into) override {
    return receiver_ == nullptr ? std::uint16_t{0} : receiver_->receive(into);
  }
  std::uint16_t transmit(std::span<rte_mbuf*> packets) override {
    return sender_.transmit(packets);
  }
  [[nodiscard]] std::optional<int> readable_fd() const override { return rx_; }

 private:
  std::unique_ptr<UdpReceiver> receiver_;
  std::optional<int> rx_;
  UdpSender sender_;
};

class UdpDevice final : public OutsideDevice {
 public:
  UdpDevice(const InterfaceFacts& facts, const UdpDeviceOptions& options, rte_mempool* pool)
      : facts_(facts), options_(options), pool_(pool) {}

  Result<void, DeviceError> open_sockets() {
    for (std::uint16_t i = 0; i < options_.queues; ++i) {
      auto fd = open_udp_socket(
          {.interface = options_.interface, .port = options_.listen_port, .joins = i > 0});
      if (!fd) return fail(std::move(fd).error());
      sockets_.emplace_back().fd = std::move(*fd);
      if (i == 0 && !let_join(sockets_[0].fd.get()))
        return fail(os_error(
            "cannot share UDP port " + std::to_string(options_.listen_port) + " between queues",
            errno));
    }
    for (const Socket& socket : sockets_) gro_ = turn_on_gro(socket.fd.get());
    gso_ = takes_segments(sockets_[0].fd.get());
    return {};
  }

  // Any number of workers may send on one socket: the kernel sorts that out.
  std::unique_ptr<PortQueue> queue(std::uint16_t worker,
                                   std::optional<std::uint16_t> rx_queue) override {
    MAGNETAR_CHECK(!rx_queue || *rx_queue < sockets_.size());
    std::unique_ptr<UdpReceiver> receiver;
    if (rx_queue) {
      Socket& socket = sockets_[*rx_queue];
      receiver = std::make_unique<UdpReceiver>(socket.fd.get(), options_.listen_port, facts_.mac,
                                               pool_, socket.oversized);
    }
    const std::size_t tx = rx_queue.value_or(static_cast<std::uint16_t>(worker % sockets_.size()));
    const auto rx = rx_queue ? std::optional(sockets_[*rx_queue].fd.get()) : std::nullopt;
    return std::make_unique<UdpQueue>(std::move(receiver), rx,
                                      UdpSender(sockets_[tx].fd.get(), gso_));
  }
  [[nodiscard]] MacAddr mac() const override { return facts_.mac; }
  [[nodiscard]] std::uint16_t receive_queues() const override {
    return static_cast<std::uint16_t>(sockets_.size());
  }
  [[nodiscard]] std::uint16_t transmit_queues() const override { return options_.workers; }
  [[nodiscard]] std::uint64_t rx_missed() const override {
    std::uint64_t sum = 0;
    for (const Socket& socket : sockets_)
      sum += udp_drops(socket.fd.get()) + socket.oversized.load(std::memory_order_relaxed);
    return sum;
  }
  [[nodiscard]] std::string offloads() const override {
    return std::string(gso_ ? "gso" : "") + (gso_ && gro_ ? ", " : "") + (gro_ ? "gro" : "");
  }
  [[nodiscard]] std::string note() const override {
    if (!gso_ || !gro_) return "this kernel gives or takes one packet at a time";
    if (!facts_.segments)
      return facts_.name + " has offloads off: ethtool -K " + facts_.name + " tx on gso on";
    return "af_xdp is faster where the driver has zero-copy, and so is a port of DPDK's own";
  }
  [[nodiscard]] bool by_sockets() const override { return true; }

 private:
  InterfaceFacts facts_;
  UdpDeviceOptions options_;
  rte_mempool* pool_;
  std::deque<Socket> sockets_;
  bool gso_ = false;
  bool gro_ = false;
};

}  // namespace

Result<std::unique_ptr<OutsideDevice>, DeviceError> open_udp_device(const UdpDeviceOptions& options,
                                                                    rte_mempool* pool) {
  const auto facts = interface_facts(options.interface);
  if (!facts) return fail(facts.error());
  auto device = std::make_unique<UdpDevice>(*facts, options, pool);
  if (auto done = device->open_sockets(); !done) return fail(std::move(done).error());
  return device;
}

}  // namespace magnetar
