// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/kernel_datagrams.h"

#include <array>

#include <gtest/gtest.h>
#include <rte_mbuf.h>

#include "dataplane/packet/meta.h"
#include "drivers/net/port.h"
#include "tests/unit/drivers/net/testbed.h"

namespace magnetar {
namespace {

using testbed::ip;
using testbed::kPort;
using testbed::udp_frame;

constexpr unsigned kRing = 128;  // of which one place stays empty

struct KernelDatagramsTest : ::testing::Test {
  KernelDatagramsTest() {
    facts.listen_port = kPort;
    facts.underlay.add(ip("10.77.0.1"));
    facts.underlay.add(ip("fd77::1"));
  }
  void arrive(const char* to, std::string_view text, unsigned count = 1) const {
    const bool v4 = ip(to).is_v4();
    const Bytes frame = udp_frame(ip(v4 ? "10.77.0.2" : "fd77::2"), ip(to), kPort, text);
    for (unsigned i = 0; i < count; ++i) cable.send(frame);
  }
  // What a worker would receive.
  std::vector<Bytes> drain() {
    std::vector<Bytes> out;
    std::array<rte_mbuf*, kRing> frames;
    const unsigned count = ring.dequeue_burst(frames);
    for (unsigned i = 0; i < count; ++i) out.push_back(to_vector(view_of(*frames[i])));
    rte_pktmbuf_free_bulk(frames.data(), count);
    return out;
  }

  testbed::Cable cable;
  Facts facts;
  MbufRing ring{"joined", kRing, MbufRing::Producers::kOne};
  Result<PortReservation, DeviceError> reservation = PortReservation::receive(kPort, "near");
  KernelDatagrams datagrams{reservation->fd(), kPort, testbed::Cable::kNear, testbed::pool(), ring};
};

TEST_F(KernelDatagramsTest, BecomeFramesAgain) {
  for (const auto& [from, to] : {std::pair{"10.77.0.2", "10.77.0.1"}, {"fd77::2", "fd77::1"}}) {
    SCOPED_TRACE(to);
    arrive(to, "put together");
    std::vector<Bytes> got;
    ASSERT_TRUE(testbed::eventually([&] {
      datagrams.process(facts);
      got = drain();
      return !got.empty();
    }));
    ASSERT_EQ(got.size(), 1U);
    EXPECT_TRUE(testbed::same_datagram(got[0], udp_frame(ip(from), ip(to), kPort, "put together")));
  }
  EXPECT_EQ(datagrams.missed(), 0U);
}

TEST_F(KernelDatagramsTest, WhatIsNotForUsEndsHere) {
  arrive("10.77.0.255", "to all");
  arrive("10.77.0.1", "to us");
  std::vector<Bytes> got;
  ASSERT_TRUE(testbed::eventually([&] {
    datagrams.process(facts);
    got = drain();
    return !got.empty();
  }));
  ASSERT_EQ(got.size(), 1U);
  EXPECT_TRUE(testbed::contains(got[0], "to us"));
  EXPECT_EQ(datagrams.missed(), 0U) << "it was nobody's loss";
}

TEST_F(KernelDatagramsTest, AFloodTakesTurnsAndIsCountedWhereItFindsNoRoom) {
  constexpr unsigned kSent = 300;
  arrive("10.77.0.1", "flood", kSent);
  ASSERT_TRUE(testbed::eventually([&] {
    datagrams.process(facts);
    return ring.count() > 0;
  }));
  EXPECT_LE(ring.count(), 64U) << "more than one turn's";
  ASSERT_TRUE(testbed::eventually([&] {
    datagrams.process(facts);
    return ring.count() + datagrams.missed() == kSent;
  }));
  EXPECT_EQ(ring.count(), kRing - 1);
}

}  // namespace
}  // namespace magnetar
