// SPDX-License-Identifier: Apache-2.0
// A port that frames travel by: any ethdev, or a kernel interface through AF_XDP, UDP sockets or
// AF_PACKET. The outside is one, and the inside may be (routed_port.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/addr.h"
#include "dataplane/base/result.h"
#include "dataplane/port.h"
#include "drivers/eal.h"

struct rte_mempool;

namespace magnetar {

enum class OutsideBackend : std::uint8_t { kAfXdp, kUdp, kAfPacket, kEthdev };
[[nodiscard]] std::string_view backend_name(
    OutsideBackend backend);  // "af_xdp", "udp", "af_packet", "ethdev"

struct OutsidePortOptions {
  std::string port;  // interface name, PCI address or vdev string
  OutsideBackend backend = OutsideBackend::kEthdev;
  std::uint16_t listen_port = 4242;
  std::uint16_t mtu = 1500;
  std::uint16_t queues = 1;     // receive queues
  std::uint16_t workers = 1;    // each gets its own way to transmit
  bool interrupts = false;      // ethdev: workers would like to sleep until a packet comes
  bool zero_copy_only = false;  // AF_XDP: refuse a driver that copies
  // As inside: overlay networks, and our own addresses in them, whose packets are the kernel's.
  std::vector<Prefix> networks;
  std::vector<IpAddr> own;
};

// The data room that packet buffers need (rte_pktmbuf_pool_create) so that every backend can
// receive frames of `mtu` into them and leave the head- and tailroom that PortQueue promises.
// AF_XDP takes rooms from 2048 to 4096 bytes only, which this gives up to an mtu of 3,456.
[[nodiscard]] std::uint16_t packet_data_room(std::uint16_t mtu);

struct PortCounters {
  std::uint64_t rx_missed = 0;
};

class OutsidePort {
 public:
  // The mbufs of `pool` are received into. AF_XDP and AF_PACKET devices are attached here
  // (rte_eal_hotplug_add), so that AF_XDP can be tried and AF_PACKET taken when it fails.
  // Checksum offload state and kernel twin: see the .cc. Start-up, control thread.
  [[nodiscard]] static Result<std::unique_ptr<OutsidePort>, DeviceError> open(
      const OutsidePortOptions& options, rte_mempool* pool);
  ~OutsidePort();  // stops and detaches the device, leaves nothing of ours in the kernel

  // The view of one worker. `rx_queue` none: this worker only transmits. Valid as long as *this.
  [[nodiscard]] std::unique_ptr<PortQueue> queue_for_worker(std::uint16_t worker,
                                                            std::optional<std::uint16_t> rx_queue);
  [[nodiscard]] const MacAddr& mac() const;
  [[nodiscard]] OutsideBackend backend() const;
  [[nodiscard]] std::uint16_t receive_queues() const;  // what the device really gave
  [[nodiscard]] PortCounters counters() const;
  [[nodiscard]] const std::string& offloads() const;  // in force; empty: it has none
  // Whether sockets of the backend's own have the Nebula port, and the kernel routes what they
  // send.
  [[nodiscard]] bool by_sockets() const;
  // Whether what the kernel's stack delivers to the Nebula port is only what the workers do not
  // get.
  [[nodiscard]] bool kernel_has_rest() const;
  [[nodiscard]] const std::string& note() const;  // what would be faster, and how to get it

 private:
  OutsidePort();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A UDP socket bound to the Nebula port (dual stack) so that the kernel does not answer with
// port-unreachable. Reads nothing (a socket filter drops all) unless made to; can send, for a next
// hop that only the kernel can resolve so far.
class PortReservation {
 public:
  [[nodiscard]] static Result<PortReservation, DeviceError> bind(std::uint16_t port);
  // Beside sockets of ours that have the port on `interface`, and keep all that comes there; sends
  // by that interface.
  [[nodiscard]] static Result<PortReservation, DeviceError> join(std::uint16_t port,
                                                                 const std::string& interface);
  // On `interface`, and keeps what the kernel delivers there, for KernelDatagrams to read. Of a
  // backend that leaves the kernel no copy of what the workers get.
  [[nodiscard]] static Result<PortReservation, DeviceError> receive(std::uint16_t port,
                                                                    const std::string& interface);
  ~PortReservation();
  PortReservation(PortReservation&& other) noexcept;
  PortReservation& operator=(PortReservation&&) = delete;
  // Best effort; false: the kernel refused.
  bool send(const UnderlayAddr& to, ByteView datagram);
  [[nodiscard]] int fd() const { return fd_; }

 private:
  enum class Use : std::uint8_t { kAlone, kBeside, kReceive };
  static Result<PortReservation, DeviceError> open(Use use, std::uint16_t port,
                                                   const std::string& interface);
  explicit PortReservation(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace magnetar
