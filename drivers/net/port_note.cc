// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/port_note.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <string_view>

namespace magnetar {
namespace {

// "0000:3b:00.0"
bool is_pci_address(std::string_view text) {
  constexpr std::string_view kForm = "xxxx:xx:xx.x";
  return text.size() == kForm.size() && std::ranges::equal(text, kForm, [](char c, char form) {
           return form == 'x' ? std::isxdigit(static_cast<unsigned char>(c)) != 0 : c == form;
         });
}

// Of "net_af_packet0,iface=eth1": eth1, if it is a device over a kernel interface.
std::string interface_below(const std::string& vdev) {
  constexpr std::array<std::string_view, 3> kOver{"net_af_packet", "net_af_xdp", "net_pcap"};
  const auto begins = [&vdev](std::string_view kind) { return vdev.starts_with(kind); };
  const std::size_t at = vdev.find(",iface=");
  if (std::ranges::none_of(kOver, begins) || at == std::string::npos) return {};
  const std::string rest = vdev.substr(at + std::string_view(",iface=").size());
  return rest.substr(0, rest.find(','));
}

std::string key_of(const PortTraits& port) {
  return port.inside ? "inside.device" : "outside.port";
}

std::string take_by_dpdk(const PortTraits& port) {
  const std::string set = key_of(port) + " = \"" + port.nic.pci + "\"";
  const std::string faster = "a port of DPDK's own is faster: ";
  // DPDK works beside the kernel's driver of these.
  if (port.nic.driver.starts_with("mlx")) return faster + set;
  return faster + "modprobe vfio-pci; dpdk-devbind.py -b vfio-pci " + port.nic.pci + "; " + set +
         " (takes " + port.name + " from the kernel)";
}

std::string better_way(const PortTraits& port) {
  if (port.backend != OutsideBackend::kEthdev)
    return port.nic.pci.empty() ? "" : take_by_dpdk(port);
  const std::string interface = interface_below(port.name);
  if (interface.empty()) return {};
  return "the kernel's interface itself is faster: " + key_of(port) + " = \"" + interface + "\"";
}

}  // namespace

NicFacts nic_facts(const std::string& device, const std::string& driver) {
  NicFacts facts;
  for (const auto& part : std::filesystem::path(device))
    if (is_pci_address(part.native())) facts.pci = part.native();  // the last is nearest
  if (!facts.pci.empty()) facts.driver = driver;
  return facts;
}

NicFacts nic_of(const std::string& interface) {
  const std::filesystem::path link = "/sys/class/net/" + interface + "/device";
  std::error_code error;
  const auto device = std::filesystem::canonical(link, error);
  if (error) return {};
  const auto driver = std::filesystem::canonical(link / "driver", error);
  return nic_facts(device, error ? "" : driver.filename().native());
}

std::string port_note(const PortTraits& port) {
  std::string note = port.own;
  const auto add = [&note](const std::string& text) {
    if (!text.empty()) note += (note.empty() ? "" : "; ") + text;
  };
  if (port.backend == OutsideBackend::kAfPacket)
    add("udp and af_xdp are faster: each takes the interface, or says why it cannot");
  add(better_way(port));
  if (port.receive_queues < port.wanted_queues)
    add("the device has " + std::to_string(port.receive_queues) + " receive queues, not " +
        std::to_string(port.wanted_queues));
  if (port.transmit_queues < port.workers)
    add("workers share " + std::to_string(port.transmit_queues) + " transmit queues");
  if (!port.hugepages) add("hugepages are faster: sysctl vm.nr_hugepages=512");
  return note;
}

}  // namespace magnetar
