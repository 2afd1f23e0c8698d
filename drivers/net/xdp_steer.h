// SPDX-License-Identifier: Apache-2.0
// The XDP program that takes Nebula's datagrams off an interface (steer.bpf.c): loaded, attached
// and proven to steer. Attached by a BPF link, so it is gone with this object, and with the
// process however that dies. Start-up only.
#pragma once

#include <cstdint>
#include <memory>

#include "dataplane/base/result.h"
#include "drivers/eal.h"
#include "drivers/net/interface.h"

struct bpf_link;
struct bpf_object;

namespace magnetar {

class XdpSteer {
 public:
  [[nodiscard]] static Result<std::unique_ptr<XdpSteer>, DeviceError> load(
      const InterfaceFacts& interface, std::uint16_t udp_port);
  ~XdpSteer();
  XdpSteer(const XdpSteer&) = delete;
  XdpSteer& operator=(const XdpSteer&) = delete;

  // Frames of the interface's queue go to this AF_XDP socket.
  [[nodiscard]] Result<void, DeviceError> add_socket(std::uint32_t queue, int socket);
  // Runs the program over made-up frames: it must take Nebula's and leave ARP to the kernel.
  [[nodiscard]] Result<void, DeviceError> prove() const;
  [[nodiscard]] Result<void, DeviceError> attach();
  // The driver runs it itself; otherwise the kernel does, after it made a packet of the frame.
  [[nodiscard]] bool native() const;

 private:
  XdpSteer(InterfaceFacts interface, std::uint16_t udp_port)
      : interface_(std::move(interface)), udp_port_(udp_port) {}

  InterfaceFacts interface_;
  std::uint16_t udp_port_;
  bpf_object* object_ = nullptr;
  bpf_link* link_ = nullptr;
  int program_ = -1;
  int sockets_ = -1;
};

}  // namespace magnetar
