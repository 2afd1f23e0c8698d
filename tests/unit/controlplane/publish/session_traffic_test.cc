// SPDX-License-Identifier: Apache-2.0
#include "controlplane/publish/session_traffic.h"

#include <gtest/gtest.h>

#include "drivers/crypto/ipsec_mb.h"
#include "tests/support/data_plane.h"

namespace magnetar {
namespace {

TEST(SessionTraffic, TellsWhatHappenedSinceTheLastLook) {
  testing::DataPlane plane(Cipher::kAes256Gcm);
  const testing::PeerSpec spec;
  SessionHot& hot = *plane.add_peer(spec).hot;
  SessionTraffic traffic(plane.sessions);
  const auto look = [&](bool in, bool out, std::uint64_t counter) {
    const Traffic seen = traffic.take(spec.local);
    EXPECT_EQ(seen.in, in);
    EXPECT_EQ(seen.out, out);
    EXPECT_EQ(seen.send_counter, counter);
  };
  look(false, false, 3);  // a new tunnel
  hot.rx_packets += 1;
  look(true, false, 3);
  look(false, false, 3);
  static_cast<void>(hot.reserve(10));
  look(false, true, 13);
  traffic.forget(spec.local);
  look(true, true, 13);  // as if never seen
}

}  // namespace
}  // namespace magnetar
