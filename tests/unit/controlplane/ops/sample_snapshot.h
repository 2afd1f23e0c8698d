// SPDX-License-Identifier: Apache-2.0
// A gateway that has been busy, with a different number in every field.
#pragma once

#include "controlplane/ops/snapshot.h"

namespace magnetar::test {

inline ops::Snapshot sample_snapshot() {
  ops::Snapshot s;
  s.version = "0.1.0";
  s.dpdk_version = "22.11.11";
  s.ipsec_mb_version = "1.3.0";
  s.uptime_s = 11520.5;
  s.overlay_addresses = {"10.42.0.1/16"};
  s.certificate = {"gateway-1", "c0ffee", 1800000000};
  s.cas = {{"root", "aa", 1900000000}};
  s.ports = {{.side = "outside",
              .name = "eth1",
              .backend = "af_packet",
              .addresses = {"192.0.2.10/24"},
              .mac = "02:00:00:00:00:01",
              .queues = 1,
              .mtu = 1500,
              .offloads = "",
              .note = "af_xdp would be faster",
              .rx_missed = 7},
             {.side = "inside",
              .name = "magnetar0",
              .backend = "tun",
              .addresses = {},
              .mac = "",
              .queues = 2,
              .mtu = 1300,
              .offloads = "checksum, tso4, tso6",
              .note = "",
              .rx_missed = 0}};
  s.workers = {{.worker = 0,
                .core = 1,
                .busy_ratio = 0.25,
                .stages = {{"outside", "receive", 1000, 100, 50000},
                           {"outside", "open", 900, 90, 450000},
                           {"inside", "receive", 0, 0, 0}}}};
  s.tunnels = {{.overlay_addresses = {"10.42.0.7"},
                .name = "laptop",
                .groups = {"staff", "ops"},
                .remote = "192.0.2.7:4242",
                .relay = "",
                .local_index = 0x12345678,
                .remote_index = 0x9abcdef0,
                .state = "up",
                .primary = true,
                .initiator = true,
                .cipher = "aes",
                .cert_fingerprint = "beef",
                .cert_expires = "2027-01-01T00:00:00Z",
                .cert_version = 2,
                .own_cert_version = 1,
                .path_mtu = 1400,
                .established_s = 62.5,
                .rx_packets = 1234567,
                .rx_bytes = 2345678,
                .tx_packets = 34,
                .tx_bytes = 5678,
                .tx_counter = 37},
               {.overlay_addresses = {"10.42.0.8"},
                .name = "",
                .groups = {},
                .remote = "",
                .relay = "",
                .local_index = 5,
                .remote_index = 0,
                .state = "pending",
                .initiator = true,
                .cipher = "aes",
                .cert_fingerprint = "",
                .cert_expires = ""}};
  s.drops = {{"forged", "tag does not verify", "data", 12, 0.5},
             {"replayed", "counter was already received", "data", 0, 0},
             {"bad_certificate", "certificate does not verify", "control", 3, 2}};
  s.traffic = {{"rx", "outside", 1000, 900000},
               {"tx", "outside", 800, 700000},
               {"rx", "inside", 600, 500000},
               {"tx", "inside", 400, 300000}};
  s.punted = {{"handshake", 20}};
  s.punt_dropped = {{"handshake", 2}};
  s.injected = 21;
  s.late = 22;
  s.punt_queue_depth = 4;
  s.handshakes = {{{"initiator", "ok"}, 5}, {{"responder", "bad_certificate"}, 3}};
  s.handshake_duration = {.bounds_s = {0.01, 0.1}, .counts = {3, 1, 1}, .sum_s = 0.75};
  s.mempool_available = {{"outside", 8000}};
  s.last_reload_successful = true;
  s.last_reload_success_unix_s = 1790000000;
  return s;
}

}  // namespace magnetar::test
