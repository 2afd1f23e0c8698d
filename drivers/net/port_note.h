// SPDX-License-Identifier: Apache-2.0
// What would make a port faster, and how to get it, in words for the log and `magnetar status`.
#pragma once

#include <cstdint>
#include <string>

#include "drivers/net/port.h"

namespace magnetar {

// What drives a kernel interface. Both empty: nothing that DPDK could take.
struct NicFacts {
  std::string driver;  // "ixgbe"
  std::string pci;     // "0000:3b:00.0"
};
// `device`: where the interface's link to its device leads, /sys/devices/... "": it has none.
[[nodiscard]] NicFacts nic_facts(const std::string& device, const std::string& driver);
[[nodiscard]] NicFacts nic_of(const std::string& interface);

struct PortTraits {
  OutsideBackend backend = OutsideBackend::kEthdev;
  bool inside = false;
  std::string name;  // as configured
  NicFacts nic;      // of a kernel interface
  std::string own;   // what the device says of itself
  std::uint16_t wanted_queues = 1;
  std::uint16_t receive_queues = 1;
  std::uint16_t transmit_queues = 1;
  std::uint16_t workers = 1;
  bool hugepages = true;
};
// The greatest gain first; empty: there is nothing better.
[[nodiscard]] std::string port_note(const PortTraits& port);

}  // namespace magnetar
