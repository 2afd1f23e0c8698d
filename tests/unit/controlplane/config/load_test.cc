// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/load.h"

#include <gtest/gtest.h>

#include "tests/unit/controlplane/config/material.h"

namespace magnetar::config {
namespace {

using std::chrono::milliseconds;

TEST(Load, DefaultCoreMustExist) {
  const Material material;
  const auto loaded = material.load(completed(""), 1);
  const auto errors = only(loaded, Severity::kError);
  ASSERT_EQ(errors.size(), 1U) << listing(loaded);
  EXPECT_EQ(errors[0].key, "workers.cores");
  EXPECT_NE(errors[0].what.find("write cores = [0]"), std::string::npos) << errors[0].what;
  EXPECT_TRUE(material.load(completed("[workers]\ncores = [0]\n"), 1).config.has_value());
}

TEST(Load, FillsInDefaults) {
  const Material material;
  const auto loaded = material.load(completed(""));
  ASSERT_TRUE(loaded.config.has_value()) << listing(loaded);
  EXPECT_EQ(listing(loaded), "");
  const Config& config = *loaded.config;
  EXPECT_EQ(config.outside.kind, PortKind::kInterface);
  EXPECT_EQ(config.outside.port, "eth1");
  EXPECT_EQ(config.outside.backend, Backend::kAuto);
  EXPECT_TRUE(config.outside.addresses.empty());
  EXPECT_TRUE(config.outside.gateways.empty());
  EXPECT_EQ(config.outside.listen_port, 4242);
  EXPECT_EQ(config.inside.name, "magnetar0");
  EXPECT_EQ(config.inside.mtu, 1300);
  EXPECT_EQ(config.workers.cores, std::vector<unsigned>{1});
  EXPECT_EQ(config.tunnels.cipher, Cipher::kAes256Gcm);
  EXPECT_EQ(config.tunnels.max, 65536U);
  EXPECT_EQ(config.handshake.try_interval, milliseconds(100));
  EXPECT_EQ(config.handshake.retries, 10U);
  EXPECT_EQ(config.handshake.queued_packets, 100U);
  EXPECT_EQ(config.metrics_listen.to_string(), "127.0.0.1:9469");
  EXPECT_EQ(config.control_socket, "/run/magnetar/control.sock");
  EXPECT_EQ(config.log_level, LogLevel::kInfo);
  EXPECT_EQ(config.log_format, LogFormat::kText);
}

TEST(Load, ReadsEveryKey) {
  const Material material;
  const auto loaded = material.load(completed(R"(
[outside]
port = "eth1.100"
backend = "af_xdp"
addresses = ["192.0.2.10/24", "2001:db8::10/64"]
gateway = ["192.0.2.1", "2001:db8::1"]
listen_port = 65535
mtu = 9000
queues = 64
[inside]
device = "tun"
name = "overlay"
mtu = 8900
queues = 2
offloads = false
[workers]
cores = [3, 2]
control_core = 1
memory = "ordinary"
idle = "poll"
[tunnels]
cipher = "chachapoly"
max = 1000
static = { "10.42.0.2" = "192.0.2.1:4242", "10.42.0.3" = ["[2001:db8::3]:1", "192.0.2.3:2"] }
[handshake]
try_interval_ms = 250
retries = 7
queued_packets = 0
[metrics]
listen = "[::]:9999"
[control]
socket = "/tmp/m.sock"
[log]
level = "warning"
format = "json"
)"));
  ASSERT_TRUE(loaded.config.has_value()) << listing(loaded);
  EXPECT_EQ(listing(loaded), "");
  const Config& config = *loaded.config;
  EXPECT_EQ(config.outside.port, "eth1.100");
  EXPECT_EQ(config.outside.backend, Backend::kAfXdp);
  ASSERT_EQ(config.outside.addresses.size(), 2U);
  EXPECT_EQ(config.outside.addresses[0].to_string(), "192.0.2.10/24");
  EXPECT_EQ(config.outside.addresses[1].to_string(), "2001:db8::10/64");
  ASSERT_EQ(config.outside.gateways.size(), 2U);
  EXPECT_EQ(config.outside.gateways[1].to_string(), "2001:db8::1");
  EXPECT_EQ(config.outside.listen_port, 65535);
  EXPECT_EQ(config.outside.mtu, 9000);
  EXPECT_EQ(config.outside.queues, 64);
  EXPECT_EQ(config.inside.name, "overlay");
  EXPECT_EQ(config.inside.mtu, 8900);
  EXPECT_EQ(config.inside.queues, 2);
  EXPECT_FALSE(config.inside.offloads);
  EXPECT_EQ(config.workers.cores, (std::vector<unsigned>{3, 2}));
  EXPECT_EQ(config.workers.control_core, 1U);
  EXPECT_EQ(config.workers.memory, Memory::kOrdinary);
  EXPECT_EQ(config.workers.idle, Idle::kPoll);
  EXPECT_EQ(config.tunnels.cipher, Cipher::kChaCha20Poly1305);
  EXPECT_EQ(config.tunnels.max, 1024U) << "rounded up to a power of two";
  const auto& remotes = config.tunnels.static_remotes;
  ASSERT_EQ(remotes.size(), 2U);
  const auto& third = remotes.at(VpnAddr{IpAddr::v4(0x0a2a0003)});
  ASSERT_EQ(third.size(), 2U);
  EXPECT_EQ(third[0].to_string(), "[2001:db8::3]:1");
  EXPECT_EQ(third[1].to_string(), "192.0.2.3:2");
  EXPECT_EQ(remotes.at(VpnAddr{IpAddr::v4(0x0a2a0002)}).size(), 1U);
  EXPECT_EQ(config.handshake.try_interval, milliseconds(250));
  EXPECT_EQ(config.handshake.retries, 7U);
  EXPECT_EQ(config.handshake.queued_packets, 0U);
  EXPECT_EQ(config.metrics_listen.to_string(), "[::]:9999");
  EXPECT_EQ(config.control_socket, "/tmp/m.sock");
  EXPECT_EQ(config.log_level, LogLevel::kWarning);
  EXPECT_EQ(config.log_format, LogFormat::kJson);
}

TEST(Load, AnInsideMayBeAnyPort) {
  const Material material;
  const std::pair<const char*, std::optional<Port>> rows[] = {
      {"tun", std::nullopt},
      {"eth2", Port{PortKind::kInterface, "eth2"}},
      {"0000:3b:00.1", Port{PortKind::kPci, "0000:3b:00.1"}},
      {"net_memif1,role=client", Port{PortKind::kVdev, "net_memif1,role=client"}},
  };
  for (const auto& [device, port] : rows) {
    const auto loaded = material.load(
        completed("[inside]\nmtu = 1500\ndevice = \"" + std::string(device) + "\"\n"));
    ASSERT_TRUE(loaded.config.has_value()) << listing(loaded);
    EXPECT_EQ(loaded.config->inside.port, port) << device;
    EXPECT_EQ(listing(loaded).empty(), port.has_value())
        << "a TUN of this MTU does not fit the tunnel; a port's senders are told what does";
  }
}

TEST(Load, AnInsideMayBeVhost) {
  const Material material;
  for (const char* device : {"vhost", "tun"}) {
    const auto loaded = material.load(completed("[inside]\ndevice = \"" + std::string(device) +
                                                "\"\nname = \"inner\"\nqueues = 2\n"));
    ASSERT_TRUE(loaded.config.has_value()) << listing(loaded);
    EXPECT_EQ(loaded.config->inside.vhost, device == std::string_view("vhost"));
    EXPECT_FALSE(loaded.config->inside.port);
    EXPECT_EQ(loaded.config->inside.name, "inner");
  }
}

TEST(Load, TellsPortsApart) {
  struct Port {
    std::string_view why;
    std::string_view port;
    PortKind kind;
  };
  constexpr Port kPorts[] = {
      {"the longest interface name", "interface-15-ch", PortKind::kInterface},
      {"a PCI address", "0000:3b:00.1", PortKind::kPci},
      {"a PCI address in capitals", "0001:AF:00.0", PortKind::kPci},
      {"a vdev", "net_ring0", PortKind::kVdev},
      {"a vdev with arguments", "net_memif0,role=client,socket=/run/memif.sock", PortKind::kVdev},
  };
  const Material material;
  for (const auto& [why, port, kind] : kPorts) {
    SCOPED_TRACE(why);
    const auto loaded =
        material.load(completed("[outside]\nport = \"" + std::string(port) + "\"\n"));
    ASSERT_TRUE(loaded.config.has_value()) << listing(loaded);
    EXPECT_EQ(loaded.config->outside.kind, kind);
    EXPECT_EQ(loaded.config->outside.port, port);
  }
}

TEST(Load, ReadsAFileAndWhatLiesBesideIt) {
  const Material material;
  material.write("magnetar.toml", completed("[workers]\ncores = [0]\n"));
  const auto path = material.directory() / "magnetar.toml";
  const auto loaded = load_file(path, kVectorTime);
  EXPECT_TRUE(loaded.config.has_value()) << listing(loaded);
  ASSERT_EQ(loaded.diagnostics.size(), 1U) << "the shared core";
  EXPECT_EQ(loaded.diagnostics[0].file, path.string());
}

TEST(Load, AFileThatCannotBeReadIsOneError) {
  const Material material;
  for (const std::string name : {"no-such.toml", "."}) {
    const std::string path = (material.directory() / name).string();
    const auto loaded = load_file(path, kVectorTime);
    EXPECT_FALSE(loaded.config.has_value());
    ASSERT_EQ(loaded.diagnostics.size(), 1U);
    EXPECT_TRUE(loaded.diagnostics[0].to_string().starts_with(
        path + ":1:1: error: toml: the file cannot be read: "))
        << listing(loaded);
  }
}

}  // namespace
}  // namespace magnetar::config
