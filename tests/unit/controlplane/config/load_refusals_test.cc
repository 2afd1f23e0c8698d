// SPDX-License-Identifier: Apache-2.0
// What a configuration is refused for, or loads with a warning: one row each, with its place.
#include <gtest/gtest.h>

#include "controlplane/config/load.h"
#include "tests/unit/controlplane/config/material.h"

namespace magnetar::config {
namespace {

struct Row {
  std::string_view why;
  std::string_view text;
  std::uint32_t line;
  std::uint32_t column;
  std::string_view key;
  std::string_view says;  // a part of the message
};

void expect_one(const Row& row, Severity severity) {
  SCOPED_TRACE(row.why);
  static const Material material;
  const auto loaded = material.load(completed(row.text));
  const auto found = only(loaded, severity);
  ASSERT_EQ(found.size(), 1U) << listing(loaded);
  EXPECT_EQ(found[0].line, row.line) << listing(loaded);
  EXPECT_EQ(found[0].column, row.column) << listing(loaded);
  EXPECT_EQ(found[0].key, row.key);
  EXPECT_NE(found[0].what.find(row.says), std::string::npos) << listing(loaded);
  EXPECT_EQ(loaded.config.has_value(), severity == Severity::kWarning);
}

constexpr Row kSyntaxAndKeys[] = {
    {"a table header that does not end", "[inside\nmtu = 1300\n", 1, 8, "toml", "table"},
    {"a key twice", "[inside]\nmtu = 1300\nmtu = 1400\n", 3, 7, "toml", "redefine"},
    {"a number beyond 64 bits", "[inside]\nmtu = 99999999999999999999\n", 2, 27, "toml", "64 bits"},
    {"an unknown key", "[outside]\nport = \"eth1\"\nlisten_prt = 4242\n", 3, 1,
     "outside.listen_prt", "is not a known key; the nearest is outside.listen_port"},
    {"an unknown key, indented", "[inside]\n  mtuu = 1300\n", 2, 3, "inside.mtuu",
     "the nearest is inside.mtu"},
    {"an unknown key by its dotted name", "inside.mtuu = 1300\n", 1, 8, "inside.mtuu",
     "the nearest is inside.mtu"},
    {"an unknown table", "[insid]\nmtu = 1300\n", 1, 2, "insid",
     "is not a known table; the nearest is inside"},
    {"an unknown list of tables", "[[insides]]\nmtu = 1300\n[[insides]]\n", 1, 3, "insides",
     "is not a known table; the nearest is inside"},
    {"a key before any table", "cipher = \"aes\"\n", 1, 1, "cipher",
     "the nearest is tunnels.cipher"},
    {"a key that is not a word", "[inside]\n\"a b\" = 1\n", 2, 1, "inside.\"a b\"",
     "is not a known key"},
    {"close to a key of a later version", "[lighthuose]\n", 1, 2, "lighthuose",
     "the nearest is lighthouse, which this version does not support yet"},
    {"a value where a table belongs", "inside = 3\n", 1, 10, "inside",
     "is an integer; a table is expected, for example [inside]"},
    {"a list of tables where one belongs", "[[inside]]\nmtu = 1300\n", 1, 1, "inside",
     "is a list; a table is expected"},
    {"a table of a later version", "[lighthouse]\nserve = true\nno_such_key = 1\n", 1, 2,
     "lighthouse", "not supported by this version yet; take it out"},
    {"firewall rules, reported once", "[[firewall.inbound]]\n[[firewall.outbound]]\n", 1, 3,
     "firewall", "not supported by this version yet; take it out"},
    {"a key of a later version", "[inside]\nroutes = []\n", 2, 1, "inside.routes",
     "not supported by this version yet; take it out"},
    {"a limit below none", "[handshake]\nmax_per_second = -1\n", 2, 18, "handshake.max_per_second",
     "is -1; 0 (no limit) to 1000000 handshakes a second are possible"},
    {"a number where a truth belongs",
     "[pki]\nca = \"ca.crt\"\ncert = \"host.crt\"\nkey = \"host.key\"\ndisconnect_invalid = 1\n", 5,
     22, "pki.disconnect_invalid", "is an integer; true or false is expected, for example true"},
    {"and another", "[metrics]\nper_peer = true\n", 2, 1, "metrics.per_peer",
     "not supported by this version yet; take it out"},
    {"a name that DPDK would read as more", "[inside]\ndevice = \"vhost\"\nname = \"a,path=b\"\n",
     3, 8, "inside.name", "is \"a,path=b\"; with inside.device = \"vhost\" it has none of ,"},
    {"addresses of a port, and there is vhost",
     "[inside]\ndevice = \"vhost\"\naddresses = [\"10.50.0.1/24\"]\n", 3, 13, "inside.addresses",
     "is for a port, and inside.device is \"vhost\""},
    {"a device that nobody could have", "[inside]\ndevice = \"eth0/1\"\n", 2, 10, "inside.device",
     "is \"eth0/1\"; \"tun\", \"vhost\", an interface name"},
    {"one port for both sides", "[outside]\nport = \"eth1\"\n[inside]\ndevice = \"eth1\"\n", 4, 10,
     "inside.device", "which is outside.port"},
    {"addresses of a port, and there is none", "[inside]\naddresses = [\"10.50.0.1/24\"]\n", 2, 13,
     "inside.addresses", "is for a port, and inside.device is \"tun\""},
    {"a port's address without its network",
     "[inside]\ndevice = \"eth2\"\naddresses = [\"10.50.0.1\"]\n", 3, 14, "inside.addresses",
     "an address of this gateway with its prefix length"},
};

constexpr Row kOutside[] = {
    {"no port, and its table is there", "\n[outside]\nmtu = 1500\n", 2, 1, "outside.port",
     "is missing; it is required, for example port = \"eth1\""},
    {"a port that is no string", "[outside]\nport = [\"eth1\"]\n", 2, 8, "outside.port",
     "is a list; a string is expected, for example \"eth1\""},
    {"an interface name that the kernel refuses", "[outside]\nport = \"ethernet-number1\"\n", 2, 8,
     "outside.port", "at most 15 characters"},
    {"an interface name with a space", "[outside]\nport = \"eth 1\"\n", 2, 8, "outside.port",
     "an interface name"},
    {"a PCI address without its domain", "[outside]\nport = \"3b:00.0\"\n", 2, 8, "outside.port",
     "\"0000:3b:00.0\""},
    {"a backend that does not exist", "[outside]\nport = \"eth1\"\nbackend = \"xdp\"\n", 3, 11,
     "outside.backend",
     "is \"xdp\"; \"auto\" or \"af_xdp\" or \"udp\" or \"af_packet\" is expected"},
    {"a backend for a PCI address", "[outside]\nport = \"0000:3b:00.0\"\nbackend = \"af_packet\"\n",
     3, 11, "outside.backend", "outside.port is \"0000:3b:00.0\"; take it out"},
    {"a backend for a vdev", "[outside]\nbackend = \"af_xdp\"\nport = \"net_memif0,role=client\"\n",
     2, 11, "outside.backend", "is for a port that is a kernel interface"},
    {"an address without its length",
     "[outside]\nport = \"eth1\"\naddresses = [\"192.0.2.1/24\", \"192.0.2.2\"]\n", 3, 30,
     "outside.addresses", "is \"192.0.2.2\"; an address of this gateway with its prefix length"},
    {"addresses that are no list", "[outside]\nport = \"eth1\"\naddresses = \"192.0.2.1/24\"\n", 3,
     13, "outside.addresses", "is a string; a list is expected, for example [\"192.0.2.10/24\"]"},
    {"an address twice",
     "[outside]\nport = \"eth1\"\naddresses = [\n  \"192.0.2.1/24\",\n  \"192.0.2.1/24\",\n]\n", 5,
     3, "outside.addresses", "is listed twice"},
    {"a gateway that is no address", "[outside]\nport = \"eth1\"\ngateway = \"router\"\n", 3, 11,
     "outside.gateway", "the address of a router is expected"},
    {"a gateway where the kernel routes",
     "[outside]\nport = \"eth1\"\nbackend = \"udp\"\ngateway = \"192.0.2.1\"\n", 4, 11,
     "outside.gateway", "ip route add default via 192.0.2.1"},
    {"two gateways of one family",
     "[outside]\nport = \"eth1\"\ngateway = [\"192.0.2.1\", \"192.0.2.2\"]\n", 3, 11,
     "outside.gateway", "at most one IPv4 and one IPv6 address"},
    {"a UDP port that is too large", "[outside]\nport = \"eth1\"\nlisten_port = 99999\n", 3, 15,
     "outside.listen_port", "is 99999; a UDP port is 1 to 65535"},
    {"a UDP port chosen by nobody", "[outside]\nport = \"eth1\"\nlisten_port = 0\n", 3, 15,
     "outside.listen_port", "is 0; a UDP port is 1 to 65535"},
    {"a number in quotes", "[outside]\nport = \"eth1\"\nlisten_port = \"4242\"\n", 3, 15,
     "outside.listen_port", "is a string; an integer is expected, for example 4242"},
    {"a number with a fraction", "[outside]\nport = \"eth1\"\nmtu = 1500.0\n", 3, 7, "outside.mtu",
     "is a number with a fraction; an integer is expected, for example 1500"},
    {"an MTU below that of IPv4", "[outside]\nport = \"eth1\"\nmtu = 575\n", 3, 7, "outside.mtu",
     "is 575; the MTU is 576 to 9000 bytes"},
    {"no queues", "[outside]\nport = \"eth1\"\nqueues = 0\n", 3, 10, "outside.queues",
     "is 0; 1 to 64 queues"},
};

constexpr Row kOtherTables[] = {
    {"an inside name that the kernel refuses", "[inside]\nname = \"magnetar/0\"\n", 2, 8,
     "inside.name", "is \"magnetar/0\"; an interface name is 1 to 15"},
    {"an inside name that the kernel would number", "[inside]\nname = \"tun%d\"\n", 2, 8,
     "inside.name", "without / : and %"},
    {"an inside MTU that is too large", "[inside]\nmtu = 9001\n", 2, 7, "inside.mtu",
     "is 9001; the MTU is 576 to 9000 bytes"},
    {"no workers", "[workers]\ncores = []\n", 2, 9, "workers.cores",
     "is empty; at least one CPU is expected"},
    {"a core twice", "[workers]\ncores = [1, 2, 1]\n", 2, 16, "workers.cores", "is listed twice"},
    {"a core that is not there", "[workers]\ncores = [1, 8]\n", 2, 13, "workers.cores",
     "is 8; this machine has CPUs 0 to 7"},
    {"a core that is no number", "[workers]\ncores = [\"1-3\"]\n", 2, 10, "workers.cores",
     "is a string; an integer is expected"},
    {"a control core below zero", "[workers]\ncontrol_core = -1\n", 2, 16, "workers.control_core",
     "is -1; this machine has CPUs 0 to 7"},
    {"memory that does not exist", "[workers]\nmemory = \"huge\"\n", 2, 10, "workers.memory",
     "\"hugepages\" or \"ordinary\" or \"auto\" is expected"},
    {"an idle mode that does not exist", "[workers]\nidle = true\n", 2, 8, "workers.idle",
     "is a boolean; a string is expected, for example \"adaptive\""},
    {"a cipher that Nebula does not have", "[tunnels]\ncipher = \"aes256\"\n", 2, 10,
     "tunnels.cipher", "\"aes\" or \"chachapoly\" is expected"},
    {"no tunnels", "[tunnels]\nmax = 0\n", 2, 7, "tunnels.max", "is 0; 1 to 1048576"},
    {"static peers as a list", "[tunnels]\nstatic = []\n", 2, 10, "tunnels.static",
     "is a list; a table is expected, for example { \"10.42.0.1\" ="},
    {"a static peer without an address", "[tunnels]\nstatic = { \"10.42.0.2\" = [] }\n", 2, 26,
     "tunnels.static.\"10.42.0.2\"", "is empty; at least one address is expected"},
    {"a static address without a port", "[tunnels]\nstatic = { \"10.42.0.2\" = \"192.0.2.1\" }\n",
     2, 26, "tunnels.static.\"10.42.0.2\"",
     "is \"192.0.2.1\"; an address and a UDP port are expected"},
    {"a static address by name",
     "[tunnels]\nstatic = { \"10.42.0.2\" = [\"192.0.2.1:1\", \"host.example:4242\"] }\n", 2, 42,
     "tunnels.static.\"10.42.0.2\"", "an address and a UDP port are expected"},
    {"a static peer by a number", "[tunnels]\nstatic = { \"10.42.0.2\" = 4242 }\n", 2, 26,
     "tunnels.static.\"10.42.0.2\"", "is an integer; a list of addresses is expected"},
    {"a static peer that is no overlay address",
     "[tunnels]\nstatic = { peer = \"192.0.2.1:4242\" }\n", 2, 12, "tunnels.static.peer",
     "is not the overlay address of a peer"},
    {"a static peer twice in two spellings",
     "[tunnels.static]\n\"10.42.0.2\" = \"192.0.2.1:1\"\n\"::ffff:10.42.0.2\" = \"192.0.2.1:2\"\n",
     3, 1, "tunnels.static.\"::ffff:10.42.0.2\"", "names 10.42.0.2 a second time"},
    {"ourselves as a static peer", "[tunnels]\nstatic = { \"10.42.0.1\" = \"192.0.2.1:4242\" }\n",
     2, 12, "tunnels.static.\"10.42.0.1\"", "this gateway's own overlay address"},
    {"an interval that is too short", "[handshake]\ntry_interval_ms = 9\n", 2, 19,
     "handshake.try_interval_ms", "is 9; the interval is 10 to 10000 milliseconds"},
    {"no tries", "[handshake]\nretries = 0\n", 2, 11, "handshake.retries", "is 0; 1 to 100 tries"},
    {"too many packets", "[handshake]\nqueued_packets = 10001\n", 2, 18, "handshake.queued_packets",
     "is 10001; 0 to 10000 packets"},
    {"metrics on a name", "[metrics]\nlisten = \"localhost:9469\"\n", 2, 10, "metrics.listen",
     "an address and a TCP port are expected, for example \"127.0.0.1:9469\""},
    {"a socket path that depends on the working directory", "[control]\nsocket = \"m.sock\"\n", 2,
     10, "control.socket", "an absolute path of at most 107 bytes"},
    {"a level that does not exist", "[log]\nlevel = \"loud\"\n", 2, 9, "log.level",
     "is \"loud\"; \"debug\" or \"info\" or \"warning\" or \"error\" is expected"},
    {"a format that does not exist", "[log]\nformat = \"xml\"\n", 2, 10, "log.format",
     "\"text\" or \"json\" is expected"},
};

constexpr Row kWarnings[] = {
    {"a worker on the control core", "[workers]\ncores = [1, 2]\ncontrol_core = 2\n", 3, 16,
     "workers.control_core", "CPU 2 is a worker's and the control thread's"},
    {"a worker on the control core's default", "[workers]\ncores = [0]\n", 2, 9, "workers.cores",
     "CPU 0 is a worker's and the control thread's"},
    {"a static peer outside the overlay",
     "[tunnels]\nstatic = { \"10.99.0.2\" = \"192.0.2.1:4242\" }\n", 2, 12,
     "tunnels.static.\"10.99.0.2\"",
     "is outside the overlay networks of this gateway's "
     "certificate (10.42.0.0/16)"},
    {"an inside packet that does not fit", "[inside]\nmtu = 1441\n", 2, 7, "inside.mtu",
     "at most 1440 fits"},
    {"an inside packet that does not fit over IPv6",
     "[inside]\nmtu = 1421\n[tunnels]\nstatic = { \"10.42.0.2\" = \"[2001:db8::1]:4242\" }\n", 2, 7,
     "inside.mtu", "over IPv6 is 80 bytes larger"},
    {"an outside MTU below the inside default", "[outside]\nport = \"eth1\"\nmtu = 1300\n", 3, 7,
     "inside.mtu", "at most 1240 fits"},
};

TEST(Load, RefusesSyntaxAndKeys) {
  for (const Row& row : kSyntaxAndKeys) expect_one(row, Severity::kError);
}
TEST(Load, RefusesBadOutside) {
  for (const Row& row : kOutside) expect_one(row, Severity::kError);
}
TEST(Load, RefusesBadValuesElsewhere) {
  for (const Row& row : kOtherTables) expect_one(row, Severity::kError);
}
TEST(Load, Warns) {
  for (const Row& row : kWarnings) expect_one(row, Severity::kWarning);
}

TEST(Load, Ipv6NeedsItsSmallestMtu) {
  const Material material;
  const auto loaded = material.load(
      completed("[outside]\nport = \"eth1\"\naddresses = [\"2001:db8::1/64\"]\nmtu = 1279\n"));
  const auto errors = only(loaded, Severity::kError);
  ASSERT_EQ(errors.size(), 1U) << listing(loaded);
  EXPECT_EQ(errors[0].to_string(),
            "m.toml:4:7: error: outside.mtu: is 1279; IPv6 (see outside.addresses) needs at least "
            "1280 bytes");
}

TEST(Load, ReportsEverythingAtOnceInTheOrderOfTheFile) {
  const Material material;
  const auto loaded = material.load(
      "[outsid]\n"
      "port = \"eth1\"\n"
      "[inside]\n"
      "mtu = \"big\"\n"
      "[workers]\n"
      "cores = [1, 99, \"two\"]\n"
      "[pki]\n"
      "ca = 3\n"
      "key = \"no-such.key\"\n"
      "blocklist = [\"abc\"]\n"
      "[lighthouse]\n");
  EXPECT_FALSE(loaded.config.has_value());
  std::vector<std::string> places;
  for (const auto& d : loaded.diagnostics)
    places.push_back(std::to_string(d.line) + ':' + std::to_string(d.column) + ' ' + d.key);
  const std::vector<std::string> expected = {
      "1:1 outside.port",    "1:2 outsid",     "4:7 inside.mtu", "6:13 workers.cores",
      "6:17 workers.cores",  "7:1 pki.cert",   "8:6 pki.ca",     "9:7 pki.key",
      "10:14 pki.blocklist", "11:2 lighthouse"};
  EXPECT_EQ(places, expected) << listing(loaded);
}

TEST(Load, AnEmptyTextLacksWhatIsRequired) {
  const auto loaded = load_text("", "m.toml", {}, kVectorTime, kTestCpus);
  EXPECT_EQ(listing(loaded),
            "m.toml:1:1: error: pki.ca: is missing; it is required, for example ca = \"ca.crt\"\n"
            "m.toml:1:1: error: pki.cert: is missing; it is required, for example "
            "cert = \"host.crt\"\n"
            "m.toml:1:1: error: pki.key: is missing; it is required, for example "
            "key = \"host.key\"\n"
            "m.toml:1:1: error: outside.port: is missing; it is required, for example "
            "port = \"eth1\"\n");
}

}  // namespace
}  // namespace magnetar::config
