// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/load.h"

#include <algorithm>

#include <sodium.h>
#include <toml++/toml.h>
#include <unistd.h>

#include "controlplane/config/file_text.h"
#include "controlplane/config/known_keys.h"
#include "controlplane/config/report.h"
#include "controlplane/config/section.h"
#include "controlplane/config/sections.h"

namespace magnetar::config {
namespace {

// The only place where toml++ throws. Stops at the first syntax error: what follows it is a guess.
std::optional<toml::table> parse(std::string_view text, Report& report) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    const auto& at = error.source().begin;
    report.error({at.line, at.column}, "toml", error.description());
    return std::nullopt;
  }
}

// A private key may stand in the configuration itself.
void wipe_private_key(toml::table& root) {
  auto* const key = root["pki"]["key"].as_string();
  if (key != nullptr) sodium_memzero(key->get().data(), key->get().size());
}

Config read_config(const toml::table& root, const std::filesystem::path& directory, WallTime now,
                   unsigned cpus, Report& report) {
  check_keys(root, report);
  Config config;
  config.identity = read_identity(root, directory, now, report);
  Section(root, "pki", report).boolean("disconnect_invalid", config.disconnect_invalid);
  config.outside = read_outside(root, report);
  config.inside = read_inside(root, report);
  config.workers = read_workers(root, cpus, report);
  config.tunnels = read_tunnels(root, config.identity.get(), report);
  config.handshake = read_handshake(root, report);
  read_metrics(root, config, report);
  read_control(root, config, report);
  read_log(root, config, report);
  check_mtus(root, config, report);
  return config;
}

}  // namespace

unsigned configured_cpus() {
  return static_cast<unsigned>(std::max(sysconf(_SC_NPROCESSORS_CONF), 1L));
}

Loaded load_text(std::string_view text, const std::string& name,
                 const std::filesystem::path& directory, WallTime now, unsigned cpus) {
  Report report(name);
  Loaded loaded;
  if (auto root = parse(text, report)) {
    Config config = read_config(*root, directory, now, cpus, report);
    wipe_private_key(*root);
    if (!report.has_errors()) loaded.config = std::move(config);
  }
  loaded.diagnostics = report.take();
  return loaded;
}

Loaded load_file(const std::filesystem::path& path, WallTime now) {
  const auto file = read_file(path);
  if (file) return load_text(file->text(), path.string(), path.parent_path(), now);
  Report report(path.string());
  report.error({}, "toml", "the file cannot be read: " + file.error());
  return {std::nullopt, report.take()};
}

}  // namespace magnetar::config
