// SPDX-License-Identifier: Apache-2.0
// The XDP program that takes what is ours off an interface (steer.bpf.c): loaded, attached and
// proven to steer. Attached by a BPF link, so it is gone with this object, and with the
// process however that dies. Start-up only.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/base/addr.h"
#include "dataplane/base/result.h"
#include "drivers/eal.h"
#include "drivers/net/interface.h"

struct bpf_link;
struct bpf_object;

namespace magnetar {

// What is taken. Outside: UDP to a port. Inside (`networks` is not empty): IP to the interface's
// MAC address and these networks, but for `own`, addresses of ours in them.
struct SteerRule {
  std::uint16_t udp_port = 0;
  std::vector<Prefix> networks;
  std::vector<IpAddr> own;
};

class XdpSteer {
 public:
  [[nodiscard]] static Result<std::unique_ptr<XdpSteer>, DeviceError> load(
      const InterfaceFacts& interface, const SteerRule& rule);
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
  XdpSteer(InterfaceFacts interface, SteerRule rule)
      : interface_(std::move(interface)), rule_(std::move(rule)) {}
  [[nodiscard]] const char* program_name() const;
  [[nodiscard]] bool set_networks() const;

  InterfaceFacts interface_;
  SteerRule rule_;
  bpf_object* object_ = nullptr;
  bpf_link* link_ = nullptr;
  int program_ = -1;
  int sockets_ = -1;
};

}  // namespace magnetar
