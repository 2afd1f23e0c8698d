// SPDX-License-Identifier: Apache-2.0
#include "controlplane/ops/json.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "tests/unit/controlplane/ops/sample_snapshot.h"

namespace magnetar::ops {
namespace {

using nlohmann::json;

// 36 hours before the sample's certificate expires.
const WallTime kNow{std::chrono::seconds(1800000000 - 36 * 3600)};

TEST(OpsJson, StatusHoldsWhatTheContractLists) {
  const json status = status_json(test::sample_snapshot(), kNow);
  const json expected = json::parse(R"({
    "version": "0.1.0", "dpdk_version": "22.11.11", "ipsec_mb_version": "1.3.0",
    "uptime_s": 11520.5, "overlay_addresses": ["10.42.0.1/16"],
    "certificate": {"name": "gateway-1", "fingerprint": "c0ffee",
                    "expires": "2027-01-15T08:00:00Z", "days_left": 1},
    "cas": [{"name": "root", "fingerprint": "aa", "expires": "2030-03-17T17:46:40Z",
             "days_left": 1158}],
    "ports": [{"side": "outside", "name": "eth1", "backend": "af_packet",
               "addresses": ["192.0.2.10/24"], "mac": "02:00:00:00:00:01", "queues": 1,
               "mtu": 1500, "offloads": null, "note": "af_xdp would be faster", "rx_missed": 7},
              {"side": "inside", "name": "magnetar0", "backend": "tun", "addresses": [],
               "mac": null, "queues": 2, "mtu": 1300, "offloads": "checksum, tso4, tso6", "note": null, "rx_missed": 0}],
    "workers": [{"worker": 0, "core": 1, "busy_ratio": 0.25, "idle_ratio": 0.75}],
    "tunnels": {"up": 1, "pending": 1},
    "last_reload": {"successful": true, "at": "2026-09-21T14:13:20Z"}
  })");
  EXPECT_EQ(status, expected) << status.dump(2);
}

TEST(OpsJson, DaysLeftCountsWholeDaysAndGoesBelowZero) {
  struct Row {
    const char* why;
    double expires;
    std::int64_t days;
  };
  const double now = 1000000;
  const Row rows[] = {
      {"a second short of a day", now + 86399, 0},
      {"a day", now + 86400, 1},
      {"a second ago", now - 1, -1},
      {"largest number a certificate may hold", 18446744073709551615.0, 1000000000},
  };
  for (const auto& [why, expires, days] : rows) {
    SCOPED_TRACE(why);
    Snapshot snapshot;
    snapshot.certificate.expires_unix_s = expires;
    const json status = status_json(snapshot, WallTime(std::chrono::seconds(1000000)));
    EXPECT_EQ(status["certificate"]["days_left"], days);
    EXPECT_TRUE(status["certificate"]["days_left"].is_number_integer());
  }
}

TEST(OpsJson, TunnelsHoldEveryFieldOfTheContract) {
  const auto tunnels = tunnels_json(test::sample_snapshot(), std::nullopt);
  ASSERT_TRUE(tunnels.has_value());
  const json expected = json::parse(R"([
    {"overlay_addresses": ["10.42.0.7"], "name": "laptop", "groups": ["staff", "ops"],
     "remote": "192.0.2.7:4242", "relay": null, "local_index": 305419896,
     "remote_index": 2596069104, "state": "up", "primary": true, "initiator": true, "cipher": "aes",
     "cert_fingerprint": "beef", "cert_expires": "2027-01-01T00:00:00Z",
     "cert_version": 2, "own_cert_version": 1, "path_mtu": 1400, "established_s": 62.5,
     "rx_packets": 1234567, "rx_bytes": 2345678, "tx_packets": 34, "tx_bytes": 5678,
     "tx_counter": 37},
    {"overlay_addresses": ["10.42.0.8"], "name": "", "groups": [], "remote": null, "relay": null,
     "local_index": 5, "remote_index": null, "state": "pending", "primary": false, "initiator": true,
     "cipher": "aes", "cert_fingerprint": null, "cert_expires": null,
     "cert_version": null, "own_cert_version": null, "path_mtu": null, "established_s": 0.0,
     "rx_packets": 0, "rx_bytes": 0, "tx_packets": 0, "tx_bytes": 0, "tx_counter": 0}
  ])");
  EXPECT_EQ(*tunnels, expected) << tunnels->dump(2);
}

TEST(OpsJson, TunnelsCanBeAskedForByAddress) {
  struct Row {
    const char* why;
    const char* address;
    std::size_t count;
  };
  Snapshot snapshot = test::sample_snapshot();
  snapshot.tunnels[0].overlay_addresses.emplace_back("fd00::7");
  const Row rows[] = {
      {"its first address", "10.42.0.7", 1},
      {"its second address, written another way", "FD00:0::0007", 1},
      {"mapped form is the same address", "::ffff:10.42.0.7", 1},
      {"nobody's", "10.42.0.9", 0},
      {"text that only begins alike", "10.42.0.70", 0},
  };
  for (const auto& [why, address, count] : rows) {
    SCOPED_TRACE(why);
    const auto tunnels = tunnels_json(snapshot, address);
    ASSERT_TRUE(tunnels.has_value());
    EXPECT_TRUE(tunnels->is_array());
    EXPECT_EQ(tunnels->size(), count);
  }
  for (const char* bad : {"laptop", "", "10.42.0.7/16", "10.42.0"}) {
    SCOPED_TRACE(bad);
    const auto tunnels = tunnels_json(snapshot, bad);
    ASSERT_FALSE(tunnels.has_value());
    EXPECT_NE(tunnels.error().find(bad), std::string::npos);
  }
}

TEST(OpsJson, DropsKeepOrderAndZeroes) {
  EXPECT_EQ(drops_json(test::sample_snapshot()), json::parse(R"([
    {"reason": "forged", "text": "tag does not verify", "plane": "data", "total": 12,
     "per_second": 0.5},
    {"reason": "replayed", "text": "counter was already received", "plane": "data", "total": 0,
     "per_second": 0.0},
    {"reason": "bad_certificate", "text": "certificate does not verify", "plane": "control",
     "total": 3, "per_second": 2.0}
  ])"));
}

TEST(OpsJson, RuntimeDividesAndNeverByZero) {
  EXPECT_EQ(runtime_json(test::sample_snapshot()), json::parse(R"({"workers": [
    {"worker": 0, "core": 1, "busy_ratio": 0.25, "idle_ratio": 0.75, "stages": [
      {"pipeline": "outside", "stage": "receive", "packets": 1000, "vectors": 100,
       "packets_per_vector": 10.0, "cycles_per_packet": 50.0},
      {"pipeline": "outside", "stage": "open", "packets": 900, "vectors": 90,
       "packets_per_vector": 10.0, "cycles_per_packet": 500.0},
      {"pipeline": "inside", "stage": "receive", "packets": 0, "vectors": 0,
       "packets_per_vector": 0.0, "cycles_per_packet": 0.0}]}]})"));
}

TEST(OpsJson, ReloadAndCloseSayWhatHappened) {
  EXPECT_EQ(reload_json({"log.level: info -> debug"}).dump(),
            R"({"changed":["log.level: info -> debug"]})");
  EXPECT_EQ(reload_json({}).dump(), R"({"changed":[]})");
  EXPECT_EQ(close_json("10.42.0.7").dump(), R"({"closed":"10.42.0.7"})");
}

TEST(OpsJson, NothingInTheSnapshotStopsTheText) {
  Snapshot snapshot = test::sample_snapshot();
  snapshot.tunnels[0].name = "a\xff\"\n";
  const std::string text = dump(*tunnels_json(snapshot, std::nullopt));
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_EQ(json::parse(text)[0]["name"], "a\xef\xbf\xbd\"\n");
  EXPECT_TRUE(json::accept(dump(status_json(Snapshot{}, kNow))));
}

}  // namespace
}  // namespace magnetar::ops
