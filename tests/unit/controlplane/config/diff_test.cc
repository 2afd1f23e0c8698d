// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/diff.h"

#include <functional>

#include <gtest/gtest.h>

namespace magnetar::config {
namespace {

Config some_config() {
  Config config;
  auto identity = std::make_shared<Identity>();
  identity->certificate.networks = {*Prefix::parse("10.42.0.1/16")};
  config.identity = std::move(identity);
  config.outside.port = "eth1";
  return config;
}

// The same identity but for one change, as a reload would bring it.
void with_identity(Config& config, const std::function<void(Identity&)>& change) {
  auto identity = std::make_shared<Identity>();
  identity->certificate = config.identity->certificate;
  identity->private_key = StaticPrivateKey(config.identity->private_key.reveal());
  change(*identity);
  config.identity = std::move(identity);
}

using Keys = std::vector<std::string>;

TEST(Diff, NothingChangedIsNothing) {
  Config after = some_config();
  EXPECT_EQ(needs_restart(some_config(), after), Keys{});
  EXPECT_EQ(changed_live(some_config(), after), Keys{});
}

struct Case {
  const char* key;
  void (*change)(Config&);
};

TEST(Diff, NamesWhatNeedsARestart) {
  const Case cases[] = {
      {"outside.port", [](Config& c) { c.outside.port = "eth2"; }},
      {"outside.backend", [](Config& c) { c.outside.backend = Backend::kAfXdp; }},
      {"outside.addresses",
       [](Config& c) { c.outside.addresses = {*Prefix::parse("192.0.2.1/24")}; }},
      {"outside.gateway", [](Config& c) { c.outside.gateways = {IpAddr::v4(1)}; }},
      {"outside.listen_port", [](Config& c) { c.outside.listen_port = 4243; }},
      {"outside.mtu", [](Config& c) { c.outside.mtu = 9000; }},
      {"outside.path_mtu", [](Config& c) { c.outside.probe_path_mtu = true; }},
      {"outside.queues", [](Config& c) { c.outside.queues = 2; }},
      {"inside.device",
       [](Config& c) {
         c.inside.port = Port{PortKind::kInterface, "eth2"};
       }},
      {"inside.device", [](Config& c) { c.inside.vhost = true; }},
      {"inside.addresses",
       [](Config& c) { c.inside.addresses = {*Prefix::parse("10.50.0.1/24")}; }},
      {"inside.name", [](Config& c) { c.inside.name = "tun7"; }},
      {"inside.mtu", [](Config& c) { c.inside.mtu = 1400; }},
      {"inside.queues", [](Config& c) { c.inside.queues = 2; }},
      {"inside.offloads", [](Config& c) { c.inside.offloads = false; }},
      {"workers.cores", [](Config& c) { c.workers.cores = {0}; }},
      {"workers.control_core", [](Config& c) { c.workers.control_core = 1; }},
      {"workers.memory", [](Config& c) { c.workers.memory = Memory::kHugepages; }},
      {"workers.idle", [](Config& c) { c.workers.idle = Idle::kPoll; }},
      {"tunnels.cipher", [](Config& c) { c.tunnels.cipher = Cipher::kChaCha20Poly1305; }},
      {"tunnels.max", [](Config& c) { c.tunnels.max = 64; }},
      {"handshake.try_interval_ms", [](Config& c) { c.handshake.try_interval *= 2; }},
      {"handshake.retries", [](Config& c) { c.handshake.retries = 3; }},
      {"handshake.queued_packets", [](Config& c) { c.handshake.queued_packets = 3; }},
      {"handshake.max_per_second", [](Config& c) { c.handshake.max_per_second = 3; }},
      {"pki.disconnect_invalid", [](Config& c) { c.disconnect_invalid = false; }},
      {"metrics.listen", [](Config& c) { c.metrics_listen.port = 1; }},
      {"control.socket", [](Config& c) { c.control_socket = "/run/other"; }},
      {"pki.cert (its networks)",
       [](Config& c) {
         with_identity(c, [](Identity& i) { i.certificate.networks[0].length = 24; });
       }},
      {"pki.cert (its unsafe networks)",
       [](Config& c) {
         with_identity(c, [](Identity& i) {
           i.certificate.unsafe_networks = {*Prefix::parse("192.168.0.0/24")};
         });
       }},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.key);
    Config after = some_config();
    c.change(after);
    EXPECT_EQ(needs_restart(some_config(), after), Keys{c.key});
  }
}

TEST(Diff, NamesWhatTakesEffectAtOnce) {
  const Case cases[] = {
      {"pki.cert",
       [](Config& c) {
         with_identity(c, [](Identity& i) { i.certificate.fingerprint.bytes[0] = std::byte{1}; });
       }},
      {"pki.key",
       [](Config& c) {
         with_identity(c, [](Identity& i) { i.private_key.fill()[0] = std::byte{1}; });
       }},
      {"pki.blocklist",
       [](Config& c) {
         with_identity(c, [](Identity& i) { i.blocklist.insert(pki::Fingerprint{}); });
       }},
      {"tunnels.static", [](Config& c) { c.tunnels.static_remotes[{IpAddr::v4(1)}] = {}; }},
      {"inside.clamp_mss", [](Config& c) { c.inside.clamp_mss = true; }},
      {"log.level", [](Config& c) { c.log_level = LogLevel::kDebug; }},
      {"log.format", [](Config& c) { c.log_format = LogFormat::kJson; }},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.key);
    Config after = some_config();
    c.change(after);
    EXPECT_EQ(changed_live(some_config(), after), Keys{c.key});
    EXPECT_EQ(needs_restart(some_config(), after), Keys{});
  }
}

}  // namespace
}  // namespace magnetar::config
