// SPDX-License-Identifier: Apache-2.0
// [inside]: where plain packets travel, and what must hold between it and the outside.
#include <algorithm>
#include <optional>

#include "controlplane/config/section.h"
#include "controlplane/config/sections.h"

namespace magnetar::config {
namespace {

// What sealing adds to an inside packet: outer IP, UDP, Nebula header and tag (wire.md section 1).
constexpr unsigned kOverheadV4 = 20 + 8 + 16 + 16;
constexpr unsigned kOverheadV6 = 40 + 8 + 16 + 16;

std::optional<std::string> parse_interface_name(std::string_view text) {
  return is_interface_name(text) ? std::optional(std::string(text)) : std::nullopt;
}

struct Device {
  std::optional<Port> port;
  bool vhost = false;
};

std::optional<Device> parse_device(std::string_view text) {
  if (text == "tun" || text == "vhost") return Device{.vhost = text == "vhost"};
  auto port = parse_port(text);
  return port ? std::optional(Device{.port = std::move(port)}) : std::nullopt;
}

void read_device(const Section& section, Inside& to) {
  Device device;
  section.text(
      "device", device, parse_device,
      R"("tun", "vhost", an interface name of at most 15 characters, a PCI address such as )"
      R"("0000:3b:00.1" or a DPDK vdev such as "net_memif1,role=client" is expected)");
  to.port = std::move(device.port);
  to.vhost = device.vhost;
}

void check_addresses(const Section& section, const Inside& inside) {
  if (inside.port || inside.addresses.empty()) return;
  section.error("addresses", "is for a port, and inside.device is " +
                                 in_quotes(inside.vhost ? "vhost" : "tun") +
                                 ", which has the addresses of pki.cert; take it out");
}

// DPDK is told the name among arguments.
void check_name(const Section& section, const Inside& inside) {
  if (inside.vhost && inside.name.find_first_of(",=[]\"'\\") != std::string::npos)
    section.error("name", "is " + in_quotes(inside.name) +
                              R"(; with inside.device = "vhost" it has none of , = [ ] " ' \)");
}

void check_ports(const Section& section, const Config& config) {
  if (!config.inside.port || config.inside.port->name != config.outside.port) return;
  section.error("device", "is " + in_quotes(config.outside.port) +
                              ", which is outside.port; packets cannot be routed to where they "
                              "come from; another port is expected");
}

bool is_outside_v6(const Config& config) {
  const auto is_v6 = [](const IpAddr& addr) { return !addr.is_v4(); };
  const auto has_v6 = [&](const auto& entry) {
    return std::ranges::any_of(entry.second, is_v6, &UnderlayAddr::ip);
  };
  return std::ranges::any_of(config.outside.addresses, is_v6, &Prefix::addr) ||
         std::ranges::any_of(config.outside.gateways, is_v6) ||
         std::ranges::any_of(config.tunnels.static_remotes, has_v6);
}

// The kernel gives no IPv6 address to a device of a smaller MTU.
void check_ipv6_inside(const Section& section, const Config& config) {
  if (config.identity == nullptr || config.inside.mtu >= kMinIpv6Mtu) return;
  const auto& networks = config.identity->widest().networks;
  const auto is_v6 = [](const Prefix& network) { return !network.addr.is_v4(); };
  const auto v6 = std::ranges::find_if(networks, is_v6);
  if (v6 == networks.end()) return;
  section.error("mtu", "is " + std::to_string(config.inside.mtu) +
                           "; IPv6 in the overlay (pki.cert has " + v6->to_string() +
                           ") needs at least " + std::to_string(kMinIpv6Mtu) + " bytes");
}

}  // namespace

Inside read_inside(const toml::table& root, Report& report) {
  const Section section(root, "inside", report);
  Inside to;
  read_device(section, to);
  section.texts("addresses", to.addresses, parse_own_address,
                R"(an address of this gateway with its prefix length is expected, for example )"
                R"("10.50.0.1/24")",
                Repeats::kRefused);
  section.text("name", to.name, parse_interface_name,
               "an interface name is 1 to 15 visible characters without / : and %");
  section.number("mtu", to.mtu, {576, 9000}, "the MTU is 576 to 9000 bytes");
  section.number("queues", to.queues, {1, 64}, "1 to 64 queues are possible");
  section.boolean("offloads", to.offloads);
  section.boolean("clamp_mss", to.clamp_mss);
  check_addresses(section, to);
  check_name(section, to);
  return to;
}

void check_mtus(const toml::table& root, const Config& config, Report& report) {
  check_ipv6_inside(Section(root, "inside", report), config);
  check_ports(Section(root, "inside", report), config);
  if (config.inside.port) return;  // a network of its own, whose senders are told what fits
  const bool v6 = is_outside_v6(config);
  const unsigned overhead = v6 ? kOverheadV6 : kOverheadV4;
  if (config.inside.mtu + overhead <= config.outside.mtu) return;
  const std::string largest = std::to_string(config.outside.mtu - overhead);
  const Section inside(root, "inside", report);
  const Section outside(root, "outside", report);
  const Section& at = inside.find("mtu") != nullptr ? inside : outside;
  report.warning(at.place("mtu"), "inside.mtu",
                 "is " + std::to_string(config.inside.mtu) + "; a sealed packet over " +
                     (v6 ? "IPv6" : "IPv4") + " is " + std::to_string(overhead) +
                     " bytes larger, and outside.mtu is " + std::to_string(config.outside.mtu) +
                     "; what does not fit is fragmented, or refused to its sender; at most " +
                     largest + " fits");
}

}  // namespace magnetar::config
