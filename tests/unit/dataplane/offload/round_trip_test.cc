// SPDX-License-Identifier: Apache-2.0
// Coalesce, then segment: whatever a burst holds comes back byte for byte.
#include <random>

#include <gtest/gtest.h>

#include "tests/support/offload.h"

namespace magnetar::offload {
namespace {

using magnetar::testing::broken_law;
using magnetar::testing::finish;
using magnetar::testing::packet_of;
using magnetar::testing::PacketSpec;

// Bursts of few flows that mostly go on as a sender's would, and now and then do not.
class Bursts {
 public:
  explicit Bursts(std::uint32_t seed) : random_(seed) {
    flows_.resize(1 + below(5));
    for (std::size_t i = 0; i < flows_.size(); ++i) {
      PacketSpec& flow = flows_[i];
      flow.v4 = below(2) == 0;
      flow.tcp = below(3) != 0;
      flow.source_port = static_cast<std::uint16_t>(below(3));  // two may be one flow
      flow.payload = 1 + below(below(2) == 0 ? 80 : 1240);
      flow.id = static_cast<std::uint16_t>(random_());
      flow.sequence = static_cast<std::uint32_t>(random_());
      if (flow.tcp && below(2) == 0) flow.options.assign(12, std::byte{1});
    }
  }
  Bytes next() {
    PacketSpec& flow = flows_[below(flows_.size())];
    PacketSpec spec = flow;
    spec.seed = static_cast<std::uint8_t>(random_());
    if (below(12) == 0) spec.payload = below(flow.payload + 2);
    if (below(20) == 0) spec.flags = static_cast<std::uint8_t>(random_());
    if (below(30) == 0) spec.fragment = static_cast<std::uint16_t>(random_());
    ++flow.id;
    flow.sequence += static_cast<std::uint32_t>(spec.payload);
    if (below(20) == 0) ++flow.ack;
    Bytes packet = packet_of(spec);
    if (below(15) == 0) packet[below(packet.size())] ^= static_cast<std::byte>(random_());
    if (below(40) == 0) packet.resize(below(packet.size() + 1));
    if (below(3) == 0) finish(packet);
    return packet;
  }
  std::size_t below(std::size_t limit) { return random_() % limit; }

 private:
  std::mt19937 random_;
  std::vector<PacketSpec> flows_;
};

TEST(RoundTrip, GivesBackThePackets) {
  std::size_t packets = 0;
  std::size_t bundles = 0;
  for (std::uint32_t seed = 0; seed < 1000; ++seed) {
    SCOPED_TRACE(seed);
    Bursts bursts(seed);
    std::vector<Bytes> burst(1 + bursts.below(Coalescer::kMost));
    for (Bytes& packet : burst) packet = bursts.next();
    ASSERT_EQ(broken_law(burst), "");
    Coalescer coalescer;
    const auto views = magnetar::testing::views_of(burst);
    packets += burst.size();
    bundles += coalescer.collect(views).size();
  }
  EXPECT_GT(packets, 3 * bundles / 2) << "or this has tried nothing";
}

}  // namespace
}  // namespace magnetar::offload
