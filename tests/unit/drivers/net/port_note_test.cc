// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/port_note.h"

#include <gtest/gtest.h>

namespace magnetar {
namespace {

TEST(NicFacts, NamesTheFunctionNearestToTheInterface) {
  struct Case {
    const char* why;
    const char* device;
    const char* pci;
  };
  const Case cases[] = {
      {"a veth has no device", "", ""},
      {"behind a bridge", "/sys/devices/pci0000:3a/0000:3a:00.0/0000:3b:00.0", "0000:3b:00.0"},
      {"virtio, whose function is above it", "/sys/devices/pci0000:00/0000:00:03.0/virtio0",
       "0000:00:03.0"},
      {"no PCI at all", "/sys/devices/platform/soc/fd580000.ethernet", ""},
      {"a bus is no function", "/sys/devices/pci0000:00/usb1", ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    const NicFacts facts = nic_facts(c.device, "driver");
    EXPECT_EQ(facts.pci, c.pci);
    EXPECT_EQ(facts.driver.empty(), facts.pci.empty());
  }
}

TEST(PortNote, SaysWhatIsFasterAndHowToGetIt) {
  using enum OutsideBackend;
  constexpr const char* kBind =
      "a port of DPDK's own is faster: modprobe vfio-pci; dpdk-devbind.py -b vfio-pci "
      "0000:3b:00.0; outside.port = \"0000:3b:00.0\" (takes eth1 from the kernel)";
  struct Case {
    const char* why;
    PortTraits port;
    std::string note;
  };
  const Case cases[] = {
      {"a NIC of DPDK's own has nothing above it", {.name = "0000:3b:00.0"}, ""},
      {"a NIC that the kernel has",
       {.backend = kAfXdp, .name = "eth1", .nic = {"ixgbe", "0000:3b:00.0"}},
       kBind},
      {"one that both may have",
       {.backend = kUdp, .name = "eth1", .nic = {"mlx5_core", "0000:3b:00.0"}},
       "a port of DPDK's own is faster: outside.port = \"0000:3b:00.0\""},
      {"the key of the other side",
       {.backend = kAfXdp, .inside = true, .name = "eth2", .nic = {"mlx5_core", "0000:3b:00.1"}},
       "a port of DPDK's own is faster: inside.device = \"0000:3b:00.1\""},
      {"an interface without hardware", {.backend = kUdp, .name = "veth0", .own = "own"}, "own"},
      {"the device's own words are first",
       {.backend = kAfXdp, .name = "eth1", .nic = {"ixgbe", "0000:3b:00.0"}, .own = "it copies"},
       std::string("it copies; ") + kBind},
      {"AF_PACKET",
       {.backend = kAfPacket, .name = "veth0"},
       "udp and af_xdp are faster: each takes the interface, or says why it cannot"},
      {"a vdev over an interface",
       {.name = "net_af_packet0,iface=eth1,qpairs=1"},
       "the kernel's interface itself is faster: outside.port = \"eth1\""},
      {"a vdev of its own", {.name = "net_memif0,role=client"}, ""},
      {"queues",
       {.name = "0000:3b:00.0",
        .wanted_queues = 4,
        .receive_queues = 2,
        .transmit_queues = 1,
        .workers = 4},
       "the device has 2 receive queues, not 4; workers share 1 transmit queues"},
      {"memory",
       {.name = "0000:3b:00.0", .hugepages = false},
       "hugepages are faster: sysctl vm.nr_hugepages=512"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    EXPECT_EQ(port_note(c.port), c.note);
  }
}

}  // namespace
}  // namespace magnetar
