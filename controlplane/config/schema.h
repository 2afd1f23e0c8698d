// SPDX-License-Identifier: Apache-2.0
// The configuration after it has been read: plain structs, every value typed and in range.
// Names follow the TOML keys of the contract.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "controlplane/action.h"
#include "controlplane/identity.h"
#include "dataplane/base/addr.h"
#include "dataplane/base/cipher.h"
#include "dataplane/base/time.h"

namespace magnetar::config {

enum class Backend : std::uint8_t { kAuto, kAfXdp, kUdp, kAfPacket };
enum class PortKind : std::uint8_t { kInterface, kPci, kVdev };

struct Port {
  PortKind kind = PortKind::kInterface;
  std::string name;  // as Outside::port
  friend bool operator==(const Port&, const Port&) = default;
};

struct Outside {
  PortKind kind = PortKind::kInterface;
  std::string port;  // interface name, PCI address, or vdev with its arguments
  Backend backend = Backend::kAuto;
  std::vector<Prefix> addresses;
  std::vector<IpAddr> gateways;  // at most one a family
  std::uint16_t listen_port = 4242;
  std::uint16_t mtu = 1500;
  bool probe_path_mtu = false;
  std::uint16_t queues = 1;
};

struct Inside {
  // None: an interface of our own, `name`. Else a port, whose traffic is routed: with `name` as the
  // gateway's own way.
  std::optional<Port> port;
  bool vhost = false;             // that interface, without a port: by vhost-net, else TUN
  std::vector<Prefix> addresses;  // of that port
  std::string name = "magnetar0";
  std::uint16_t mtu = 1300;
  std::uint16_t queues = 1;
  bool offloads = true;
  bool clamp_mss = false;
};

enum class Memory : std::uint8_t { kAuto, kHugepages, kOrdinary };
enum class Idle : std::uint8_t { kPoll, kAdaptive };

struct Workers {
  std::vector<unsigned> cores = {1};
  unsigned control_core = 0;
  Memory memory = Memory::kAuto;
  Idle idle = Idle::kAdaptive;
};

struct Tunnels {
  Cipher cipher = Cipher::kAes256Gcm;
  std::uint32_t max = 65536;
  std::map<VpnAddr, std::vector<UnderlayAddr>> static_remotes;
};

struct Handshake {
  Duration try_interval = std::chrono::milliseconds(100);
  std::uint32_t retries = 10;
  std::uint32_t queued_packets = 100;
  std::uint32_t max_per_second = 0;  // as responder; 0: no limit
};

enum class LogFormat : std::uint8_t { kText, kJson };

struct Config {
  std::shared_ptr<const Identity> identity;  // from [pki], loaded and verified
  bool disconnect_invalid = true;            // pki.disconnect_invalid
  Outside outside;
  Inside inside;
  Workers workers;
  Tunnels tunnels;
  Handshake handshake;
  UnderlayAddr metrics_listen{IpAddr::v4(0x7f000001), 9469};
  std::string control_socket = "/run/magnetar/control.sock";
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
};

}  // namespace magnetar::config
