// SPDX-License-Identifier: Apache-2.0
// The files of conf/ are what operators start from: they load, and magnetar.toml is complete.
#include <cctype>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <toml++/toml.h>

#include "controlplane/config/known_keys.h"
#include "tests/unit/controlplane/config/material.h"

namespace magnetar::config {
namespace {

std::string text_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// "#key = value" becomes "key = value"; "# remark" stays.
std::string uncommented(const std::string& text) {
  std::istringstream lines(text);
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    const bool is_key = line.size() > 1 && line[0] == '#' && std::islower(line[1]) != 0;
    out += (is_key ? line.substr(1) : line) + '\n';
  }
  return out;
}

TEST(Conf, EveryFileLoadsWithoutAWarning) {
  const Material material;
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(MAGNETAR_CONF)) {
    SCOPED_TRACE(entry.path().filename());
    ++files;
    const auto loaded = material.load(text_of(entry.path()));
    EXPECT_TRUE(loaded.config.has_value());
    EXPECT_EQ(listing(loaded), "");
  }
  EXPECT_GE(files, 4);
}

TEST(Conf, TheCommentedFileHoldsEveryKey) {
  const auto root = toml::parse(uncommented(text_of(MAGNETAR_CONF "/magnetar.toml")));
  for (const KnownKey& known : kKnownKeys) {
    SCOPED_TRACE(known.name);
    EXPECT_EQ(bool(root.at_path(known.name)), known.kind != KeyKind::kLater);
  }
}

TEST(Conf, TheCommentedFileShowsTheDefaults) {
  const Material material;
  const auto shown = material.load(uncommented(text_of(MAGNETAR_CONF "/magnetar.toml")));
  ASSERT_TRUE(shown.config.has_value()) << listing(shown);
  EXPECT_EQ(listing(shown), "");
  const Config& config = *shown.config;
  const Config defaults;
  EXPECT_EQ(config.outside.backend, defaults.outside.backend);
  EXPECT_EQ(config.outside.listen_port, defaults.outside.listen_port);
  EXPECT_EQ(config.outside.mtu, defaults.outside.mtu);
  EXPECT_EQ(config.outside.queues, defaults.outside.queues);
  EXPECT_EQ(config.inside.name, defaults.inside.name);
  EXPECT_EQ(config.inside.mtu, defaults.inside.mtu);
  EXPECT_EQ(config.inside.queues, defaults.inside.queues);
  EXPECT_EQ(config.inside.offloads, defaults.inside.offloads);
  EXPECT_EQ(config.workers.cores, defaults.workers.cores);
  EXPECT_EQ(config.workers.control_core, defaults.workers.control_core);
  EXPECT_EQ(config.workers.memory, defaults.workers.memory);
  EXPECT_EQ(config.workers.idle, defaults.workers.idle);
  EXPECT_EQ(config.tunnels.cipher, defaults.tunnels.cipher);
  EXPECT_EQ(config.tunnels.max, defaults.tunnels.max);
  EXPECT_EQ(config.handshake.try_interval, defaults.handshake.try_interval);
  EXPECT_EQ(config.handshake.retries, defaults.handshake.retries);
  EXPECT_EQ(config.handshake.queued_packets, defaults.handshake.queued_packets);
  EXPECT_EQ(config.handshake.max_per_second, defaults.handshake.max_per_second);
  EXPECT_EQ(config.disconnect_invalid, defaults.disconnect_invalid);
  EXPECT_EQ(config.metrics_listen, defaults.metrics_listen);
  EXPECT_EQ(config.control_socket, defaults.control_socket);
  EXPECT_EQ(config.log_level, defaults.log_level);
  EXPECT_EQ(config.log_format, defaults.log_format);
}

}  // namespace
}  // namespace magnetar::config
