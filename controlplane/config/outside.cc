// SPDX-License-Identifier: Apache-2.0
// [outside]: where encrypted packets travel.
#include <algorithm>
#include <optional>

#include "controlplane/config/section.h"
#include "controlplane/config/sections.h"

namespace magnetar::config {
namespace {

constexpr Choice<Backend> kBackends[] = {{"auto", Backend::kAuto},
                                         {"af_xdp", Backend::kAfXdp},
                                         {"udp", Backend::kUdp},
                                         {"af_packet", Backend::kAfPacket}};

constexpr Choice<bool> kPathMtus[] = {{"fixed", false}, {"probe", true}};

bool is_visible(char c) { return c > 0x20 && c < 0x7f; }

// "0000:3b:00.0": domain, bus, device and function, all hexadecimal.
bool is_pci_address(std::string_view text) {
  constexpr std::string_view kShape = "xxxx:xx:xx.x";
  constexpr std::string_view kHex = "0123456789abcdefABCDEF";
  return std::ranges::equal(text, kShape, [&](char c, char shape) {
    return shape == 'x' ? kHex.find(c) != std::string_view::npos : c == shape;
  });
}

std::optional<IpAddr> parse_gateway(std::string_view text) {
  const auto addr = IpAddr::parse(text);
  if (!addr || addr->is_unspecified() || addr->is_multicast()) return std::nullopt;
  return addr;
}

void check_backend(const Section& section, const Outside& outside) {
  if (outside.kind == PortKind::kInterface || outside.backend == Backend::kAuto) return;
  section.error("backend", "is for a port that is a kernel interface, and outside.port is " +
                               in_quotes(outside.port) + R"(; take it out or write "auto")");
}

void check_gateways(const Section& section, const Outside& outside) {
  const auto v4 = std::ranges::count_if(outside.gateways, &IpAddr::is_v4);
  const auto v6 = std::ssize(outside.gateways) - v4;
  if (v4 > 1 || v6 > 1)
    section.error("gateway",
                  "has several addresses of one family; at most one IPv4 and one IPv6 "
                  "address are expected");
}

void check_kernel_routes(const Section& section, const Outside& outside) {
  if (outside.backend != Backend::kUdp || outside.gateways.empty()) return;
  section.error("gateway", R"(is not for backend = "udp", which the kernel's own routes lead: )"
                           "ip route add default via " +
                               outside.gateways.front().to_string() + ", and take it out");
}

void check_ipv6_mtu(const Section& section, const Outside& outside) {
  const auto is_v6 = [](const Prefix& prefix) { return !prefix.addr.is_v4(); };
  if (outside.mtu >= kMinIpv6Mtu || std::ranges::none_of(outside.addresses, is_v6)) return;
  section.error("mtu", "is " + std::to_string(outside.mtu) +
                           "; IPv6 (see outside.addresses) needs at least 1280 bytes");
}

}  // namespace

bool is_interface_name(std::string_view text) {
  constexpr std::size_t kMaxLength = 15;  // IFNAMSIZ with its zero
  const auto allowed = [](char c) { return is_visible(c) && c != '/' && c != ':' && c != '%'; };
  return !text.empty() && text.size() <= kMaxLength && text != "." && text != ".." &&
         std::ranges::all_of(text, allowed);
}

std::optional<Port> parse_port(std::string_view text) {
  if (text.starts_with("net_"))
    return std::ranges::all_of(text, is_visible)
               ? std::optional(Port{PortKind::kVdev, std::string(text)})
               : std::nullopt;
  if (is_pci_address(text)) return Port{PortKind::kPci, std::string(text)};
  if (is_interface_name(text)) return Port{PortKind::kInterface, std::string(text)};
  return std::nullopt;
}

std::optional<Prefix> parse_own_address(std::string_view text) {
  const auto prefix = Prefix::parse(text);
  if (!prefix || prefix->addr.is_unspecified() || prefix->addr.is_multicast()) return std::nullopt;
  return prefix;
}

Outside read_outside(const toml::table& root, Report& report) {
  const Section section(root, "outside", report);
  Outside to;
  Port port;
  section.require("port");
  section.text("port", port, parse_port,
               R"(an interface name of at most 15 characters, a PCI address such as "0000:3b:00.0")"
               R"( or a DPDK vdev such as "net_memif0,role=client" is expected)");
  to.kind = port.kind;
  to.port = std::move(port.name);
  section.choice<Backend>("backend", to.backend, kBackends);
  section.texts("addresses", to.addresses, parse_own_address,
                R"(an address of this gateway with its prefix length is expected, for example )"
                R"("192.0.2.10/24")",
                Repeats::kRefused);
  section.texts("gateway", to.gateways, parse_gateway,
                R"(the address of a router is expected, for example "192.0.2.1")",
                Repeats::kRefused, ListForm::kListOrOne);
  section.number("listen_port", to.listen_port, {1, 65535}, "a UDP port is 1 to 65535");
  section.number("mtu", to.mtu, {576, 9000}, "the MTU is 576 to 9000 bytes");
  section.choice<bool>("path_mtu", to.probe_path_mtu, kPathMtus);
  section.number("queues", to.queues, {1, 64}, "1 to 64 queues are possible");
  check_backend(section, to);
  check_gateways(section, to);
  check_kernel_routes(section, to);
  check_ipv6_mtu(section, to);
  return to;
}

}  // namespace magnetar::config
