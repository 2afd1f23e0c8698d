// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/port.h"

#include <gtest/gtest.h>

namespace magnetar {
namespace {

TEST(PacketDataRoom, FitsEveryBackend) {
  struct Case {
    const char* why;
    std::uint16_t mtu;
    std::uint16_t room;
    bool af_xdp;  // takes 2048 to 4096 bytes
  };
  const Case cases[] = {
      {"smallest slot of the AF_PACKET ring", 1280, 128 + 2048 + 64, true},
      {"Ethernet", 1500, 128 + 2048 + 64, true},
      {"last mtu in that slot: AF_XDP wants more", 1920, 256 + 14 + 1920 + 64, true},
      {"one more takes a bigger slot", 1921, 128 + 2560 + 64, true},
      {"last that AF_XDP takes", 3456, 256 + 14 + 3456 + 64, true},
      {"too big for AF_XDP", 3457, 128 + 4096 + 64, false},
      {"jumbo frames", 9000, 128 + 9216 + 64, false},
      {"never more than a packet buffer can say", 65535, 65535, false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    EXPECT_EQ(packet_data_room(c.mtu), c.room);
    EXPECT_EQ(packet_data_room(c.mtu) <= 4096, c.af_xdp);
  }
}

TEST(OutsideBackend, HasTheNameOfTheConfiguration) {
  EXPECT_EQ(backend_name(OutsideBackend::kAfXdp), "af_xdp");
  EXPECT_EQ(backend_name(OutsideBackend::kUdp), "udp");
  EXPECT_EQ(backend_name(OutsideBackend::kAfPacket), "af_packet");
  EXPECT_EQ(backend_name(OutsideBackend::kEthdev), "ethdev");
}

}  // namespace
}  // namespace magnetar
