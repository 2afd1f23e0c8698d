// SPDX-License-Identifier: Apache-2.0
// The kernel's face of a port that DPDK owns: a TAP with the port's MAC. What is not Nebula's goes
// to it and what the kernel sends on it leaves by the port, so that ARP, neighbour discovery, ICMP
// and routing stay Linux's business (architecture.md section 3). Control thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "dataplane/base/addr.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/result.h"
#include "drivers/eal.h"

namespace magnetar {

class Twin {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Twin>, DeviceError> open(const std::string& name,
                                                                       const MacAddr& mac,
                                                                       unsigned mtu);
  ~Twin();
  [[nodiscard]] int fd() const;  // to poll for reading
  // One frame that the kernel sent, into `frame`; its size, or none. Never blocks.
  [[nodiscard]] std::optional<std::size_t> read(MutableBytes frame);
  // A frame for the kernel; false: it did not take it.
  bool write(ByteView frame);
  [[nodiscard]] const std::string& name() const;

 private:
  Twin(int fd, std::string name);
  int fd_;
  std::string name_;
};

}  // namespace magnetar
