// SPDX-License-Identifier: Apache-2.0
// Everything an operator can see, as plain values taken at one moment by the control thread.
// Metrics, the control socket and the command line are views of this and nothing else.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace magnetar::ops {

struct PortView {
  std::string side;     // "outside" or "inside"
  std::string name;     // "eth1", "magnetar0"
  std::string backend;  // "af_xdp", "af_packet", "ethdev", "tun", "vhost"
  std::vector<std::string> addresses;
  std::string mac;
  unsigned queues = 1;
  unsigned mtu = 0;
  std::string offloads;  // in force; empty: the port has none
  std::string note;      // what would be faster and how to get it; may be empty
  std::uint64_t rx_missed = 0;
};

struct StageView {
  std::string pipeline;  // "outside" or "inside"
  std::string stage;     // "receive", "classify", "open", ...
  std::uint64_t packets = 0;
  std::uint64_t vectors = 0;
  std::uint64_t cycles = 0;
};

struct WorkerView {
  unsigned worker = 0;
  unsigned core = 0;
  double busy_ratio = 0;  // since the last look a second ago or more, 0..1
  std::vector<StageView> stages;
};

struct TunnelView {
  std::vector<std::string> overlay_addresses;
  std::string name;
  std::vector<std::string> groups;
  std::string remote;  // "192.0.2.1:4242"; empty: none
  std::string relay;   // overlay address of the relay; empty: direct
  std::uint32_t local_index = 0;
  std::uint32_t remote_index = 0;
  std::string state;     // "pending" or "up"
  bool primary = false;  // of several tunnels to one peer the one that is sent on
  bool initiator = false;
  std::string cipher;  // "aes" or "chachapoly"
  std::string cert_fingerprint;
  std::string cert_expires;             // RFC 3339; empty: not known
  std::optional<int> cert_version;      // of the peer's certificate
  std::optional<int> own_cert_version;  // of the one it was shown
  std::optional<int> path_mtu;          // bytes of an outer packet
  double established_s = 0;             // seconds since; 0 while pending
  std::uint64_t rx_packets = 0, rx_bytes = 0, tx_packets = 0, tx_bytes = 0, tx_counter = 0;
};

struct DropView {
  std::string reason;  // metric label
  std::string text;
  std::string plane;  // "data" or "control"
  std::uint64_t total = 0;
  double per_second = 0;
};

struct CertificateView {
  std::string name;
  std::string fingerprint;
  double expires_unix_s = 0;
};

// Traffic of one side ("outside", "inside") in one direction ("rx", "tx").
struct TrafficView {
  std::string direction;
  std::string side;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

// Cumulative histogram; the last bucket's bound is +Inf and is left out.
struct HistogramView {
  std::vector<double> bounds_s;
  std::vector<std::uint64_t> counts;  // one a bound, plus one for +Inf; not cumulative
  double sum_s = 0;
};

struct Snapshot {
  std::string version, dpdk_version, ipsec_mb_version;
  double uptime_s = 0;
  std::vector<std::string> overlay_addresses;
  CertificateView certificate;
  std::vector<CertificateView> cas;
  std::vector<PortView> ports;
  std::vector<WorkerView> workers;
  std::vector<TunnelView> tunnels;
  std::vector<DropView> drops;
  std::vector<TrafficView> traffic;
  std::map<std::string, std::uint64_t> punted;        // by kind: handed to the control plane
  std::map<std::string, std::uint64_t> punt_dropped;  // by kind: the ring was full
  std::uint64_t late = 0;                             // packets sent behind a peer's replay window
  std::uint64_t injected = 0;  // packets the control plane gave to the workers and they sent
  std::uint64_t punt_queue_depth = 0;
  std::map<std::pair<std::string, std::string>, std::uint64_t> handshakes;  // {role, result}
  HistogramView handshake_duration;
  std::map<std::string, std::uint64_t> mempool_available;  // by pool
  bool last_reload_successful = true;
  double last_reload_success_unix_s = 0;
};

}  // namespace magnetar::ops
