// SPDX-License-Identifier: Apache-2.0
// [tunnels]: the cipher, how many, and peers whose underlay addresses are known.
#include <algorithm>
#include <bit>
#include <optional>

#include "controlplane/config/section.h"
#include "controlplane/config/sections.h"

namespace magnetar::config {
namespace {

constexpr Choice<Cipher> kCiphers[] = {
    {cipher_name(Cipher::kAes256Gcm), Cipher::kAes256Gcm},
    {cipher_name(Cipher::kChaCha20Poly1305), Cipher::kChaCha20Poly1305}};

std::optional<VpnAddr> parse_overlay(std::string_view text) {
  const auto addr = IpAddr::parse(text);
  if (!addr || addr->is_unspecified() || addr->is_multicast()) return std::nullopt;
  return VpnAddr{*addr};
}

std::optional<UnderlayAddr> parse_remote(std::string_view text) {
  const auto addr = UnderlayAddr::parse(text);
  if (!addr || addr->ip.is_unspecified() || addr->ip.is_multicast()) return std::nullopt;
  return addr;
}

// One entry of tunnels.static: what stands under one overlay address.
class StaticEntry {
 public:
  StaticEntry(const Section& tunnels, const toml::key& key)
      : tunnels_(tunnels), place_(place_of(key)), key_("static." + key_name(key.str())) {}

  [[nodiscard]] std::vector<UnderlayAddr> remotes(const toml::node& value) const {
    std::vector<UnderlayAddr> to;
    const auto* array = value.as_array();
    if (array == nullptr && !value.is_string())
      tunnels_.wrong_type(key_, value, "a list of addresses");
    else if (array == nullptr)
      add(value, to);
    else if (array->empty())
      tunnels_.report().error(place_of(value), tunnels_.dotted(key_),
                              R"(is empty; at least one address is expected, for example )"
                              R"(["192.0.2.1:4242"])");
    else
      for (const toml::node& item : *array) add(item, to);
    return to;
  }

  void error(std::string_view what) const {
    tunnels_.report().error(place_, tunnels_.dotted(key_), what);
  }
  void warning(std::string_view what) const {
    tunnels_.report().warning(place_, tunnels_.dotted(key_), what);
  }

 private:
  void add(const toml::node& item, std::vector<UnderlayAddr>& to) const {
    const auto remote = tunnels_.checked_text(
        key_, item, parse_remote,
        R"(an address and a UDP port are expected, for example "192.0.2.1:4242")");
    // Trying one address twice in a row helps nobody.
    if (remote && std::ranges::find(to, *remote) == to.end()) to.push_back(*remote);
  }

  const Section& tunnels_;
  Place place_;
  std::string key_;
};

void check_overlay(const StaticEntry& entry, VpnAddr overlay, const Identity& identity) {
  const auto own = identity.overlay_addrs();
  if (std::ranges::find(own, overlay) != own.end()) {
    entry.error("is this gateway's own overlay address (pki.cert); name a peer's");
    return;
  }
  const auto& networks = identity.widest().networks;
  const auto holds = [&](const Prefix& network) { return network.contains(overlay.ip); };
  if (std::ranges::any_of(networks, holds)) return;
  std::string names;
  for (const Prefix& network : networks)
    names += (names.empty() ? "" : ", ") + network.masked().to_string();
  entry.warning("is outside the overlay networks of this gateway's certificate (" + names +
                "); no packet will be routed to it");
}

void read_static(const Section& section, const Identity* identity, Tunnels& to) {
  const toml::node* value = section.find("static");
  if (value == nullptr) return;
  const auto* table = value->as_table();
  if (table == nullptr) return section.wrong_type("static", *value, "a table");
  for (auto&& [key, remotes] : *table) {
    const StaticEntry entry(section, key);
    auto addrs = entry.remotes(remotes);
    const auto overlay = parse_overlay(key.str());
    if (!overlay) {
      entry.error(R"(is not the overlay address of a peer; an address is expected, for example )"
                  R"("10.42.0.1")");
      continue;
    }
    if (identity != nullptr) check_overlay(entry, *overlay, *identity);
    if (!to.static_remotes.emplace(*overlay, std::move(addrs)).second)
      entry.error("names " + overlay->to_string() + " a second time; put its addresses together");
  }
}

}  // namespace

Tunnels read_tunnels(const toml::table& root, const Identity* identity, Report& report) {
  const Section section(root, "tunnels", report);
  Tunnels to;
  section.choice<Cipher>("cipher", to.cipher, kCiphers);
  section.number("max", to.max, {1, 1 << 20}, "1 to 1048576 tunnels are possible");
  to.max = std::bit_ceil(to.max);  // a slot is a mask of the index
  read_static(section, identity, to);
  return to;
}

}  // namespace magnetar::config
