// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/render.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "controlplane/ops/json.h"
#include "tests/unit/controlplane/ops/sample_snapshot.h"

namespace magnetar::cli {
namespace {

using nlohmann::json;

std::string status_after(std::chrono::seconds until_expiry, bool reload_worked = true) {
  ops::Snapshot snapshot = test::sample_snapshot();
  snapshot.last_reload_successful = reload_worked;
  return render_status(
      ops::status_json(snapshot, WallTime(std::chrono::seconds(1800000000) - until_expiry)));
}

TEST(Render, Status) {
  EXPECT_EQ(status_after(std::chrono::hours(100 * 24)),
            R"(magnetar 0.1.0, up 3h12m (DPDK 22.11.11, ipsec-mb 1.3.0)
overlay        10.42.0.1/16
certificate    gateway-1, 100 days left, until 2027-01-15T08:00:00Z
authority      root, 1,257 days left, until 2030-03-17T17:46:40Z
outside        eth1 (af_packet), 192.0.2.10/24, mtu 1500, 1 queue, 02:00:00:00:00:01, 7 packets missed
               af_xdp would be faster
inside         magnetar0 (tun), -, mtu 1300, 2 queues, offloads: checksum, tso4, tso6
worker 0       core 1, 25.0 % busy
tunnels        1 up, 1 pending
configuration  loaded 2026-09-21T14:13:20Z
)");
}

TEST(Render, StatusShoutsWhatIsWrong) {
  EXPECT_NE(status_after(std::chrono::hours(30)).find("EXPIRES SOON: 1 day left"),
            std::string::npos);
  EXPECT_NE(status_after(std::chrono::seconds(-1)).find("EXPIRED on 2027-01-15T08:00:00Z"),
            std::string::npos);
  EXPECT_NE(status_after(std::chrono::hours(30), false).find("LAST RELOAD FAILED"),
            std::string::npos);
}

TEST(Render, Tunnels) {
  ops::Snapshot snapshot = test::sample_snapshot();
  snapshot.tunnels[1].relay = "10.42.0.1";
  const json tunnels = *ops::tunnels_json(snapshot, std::nullopt);
  EXPECT_EQ(render_tunnels(tunnels),
            "ADDRESS    NAME    STATE    REMOTE            AGE  RX PACKETS  RX BYTES  TX PACKETS  "
            "TX BYTES\n"
            "10.42.0.7  laptop  up       192.0.2.7:4242  1m02s   1,234,567   2.2 MiB          34   "
            "5.5 KiB\n"
            "10.42.0.8  -       pending  via 10.42.0.1       -           0       0 B           0   "
            "    0 B\n");
  EXPECT_EQ(render_tunnels(json::array()), "no tunnels\n");
}

TEST(Render, OneTunnelInFull) {
  const json tunnels = *ops::tunnels_json(test::sample_snapshot(), "10.42.0.7");
  EXPECT_EQ(render_tunnel_details(tunnels), R"(address        10.42.0.7
name           laptop
groups         staff, ops
state          up for 1m02s, opened by us
remote         192.0.2.7:4242
relay          -
indexes        ours 0x12345678, the peer's 0x9abcdef0
cipher         aes
certificate    beef
expires        2027-01-01T00:00:00Z
received       1,234,567 packets, 2.2 MiB
sent           34 packets, 5.5 KiB
counter        37
)");
  EXPECT_EQ(render_tunnel_details(json::array()), "no tunnel to this address\n");
}

TEST(Render, DropsByRateThenTotalAndOnlyWhatOccurred) {
  ops::Snapshot snapshot = test::sample_snapshot();
  snapshot.drops.push_back({"no_route", "destination is elsewhere", "data", 99999, 0.5});
  const json drops = ops::drops_json(snapshot);
  EXPECT_EQ(render_drops(drops, false),
            "REASON           PLANE    PER SECOND   TOTAL  MEANING\n"
            "bad_certificate  control         2.0       3  certificate does not verify\n"
            "no_route         data            0.5  99,999  destination is elsewhere\n"
            "forged           data            0.5      12  tag does not verify\n");
  EXPECT_NE(render_drops(drops, true).find("\nreplayed "), std::string::npos);
  EXPECT_EQ(render_drops(ops::drops_json({}), false), "no packet was dropped\n");
}

TEST(Render, Runtime) {
  EXPECT_EQ(render_runtime(ops::runtime_json(test::sample_snapshot())),
            "worker 0 on core 1: 25.0 % busy, 75.0 % idle\n"
            "PIPELINE  STAGE    PACKETS  VECTORS  PACKETS/VECTOR  CYCLES/PACKET\n"
            "outside   receive    1,000      100            10.0             50\n"
            "outside   open         900       90            10.0            500\n"
            "inside    receive        0        0             0.0              0\n");
}

TEST(Render, ReloadAndClose) {
  EXPECT_EQ(render_reload(ops::reload_json({"a: 1 -> 2", "b\x1b: 3 -> 4"})),
            "a: 1 -> 2\nb\\x1b: 3 -> 4\n");
  EXPECT_EQ(render_reload(ops::reload_json({})), "reloaded; nothing changed\n");
  EXPECT_EQ(render_close(ops::close_json("10.42.0.7")), "closed the tunnel to 10.42.0.7\n");
}

TEST(Render, NamesOfPeersCannotDriveTheTerminal) {
  ops::Snapshot snapshot = test::sample_snapshot();
  snapshot.tunnels[0].name = "\x1b]0;owned\x07";
  snapshot.tunnels[0].groups = {"\n"};
  const json tunnels = *ops::tunnels_json(snapshot, std::nullopt);
  for (const std::string& text : {render_tunnels(tunnels), render_tunnel_details(tunnels)}) {
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    EXPECT_EQ(text.find('\x07'), std::string::npos);
    EXPECT_NE(text.find("\\x1b]0;owned\\x07"), std::string::npos);
  }
}

TEST(Render, TakesAnswersOfAnyShape) {
  for (const char* text : {"null", "7", "\"x\"", "[]", "[1,null,[]]", "{}", "{\"a\":{}}",
                           R"({"workers":7,"ports":[1],"tunnels":[],"changed":"x","cas":{"a":1}})",
                           R"([{"name":7,"groups":"x","local_index":-1,"rx_bytes":1.5}])"}) {
    SCOPED_TRACE(text);
    const json any = json::parse(text);
    for (const std::string& out :
         {render_status(any), render_tunnels(any), render_tunnel_details(any),
          render_drops(any, true), render_runtime(any), render_reload(any), render_close(any)}) {
      EXPECT_TRUE(out.ends_with('\n'));
    }
  }
}

}  // namespace
}  // namespace magnetar::cli
