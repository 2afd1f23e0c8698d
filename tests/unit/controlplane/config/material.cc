// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/controlplane/config/material.h"

#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <stdlib.h>

namespace magnetar::config {
namespace {

const nlohmann::json& vectors() {
  static const auto loaded = [] {
    std::ifstream file(MAGNETAR_VECTORS "/certificates-v1.json");
    return nlohmann::json::parse(file);
  }();
  return loaded;
}

const nlohmann::json& host(std::string_view label) {
  for (const auto& entry : vectors().at("hosts"))
    if (entry.at("label") == label) return entry;
  throw std::runtime_error("no such host in the vectors: " + std::string(label));
}

}  // namespace

std::string ca_pem(std::string_view name) {
  return vectors().at("cas").at(std::string(name)).at("pem");
}
std::string cert_pem(std::string_view label) { return host(label).at("pem"); }
std::string key_pem(std::string_view label) { return host(label).at("private_key_pem"); }
std::string fingerprint_of(std::string_view label) { return host(label).at("fingerprint"); }

Material::Material() {
  std::string name = testing::TempDir() + "magnetar-config-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
  directory_ = name;
  write("ca.crt", ca_pem("main"));
  write("host.crt", cert_pem("good-initiator"));
  write("host.key", key_pem("good-initiator"));
}

Material::~Material() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void Material::write(std::string_view name, std::string_view text,
                     std::filesystem::perms mode) const {
  const auto path = directory_ / name;
  std::ofstream(path) << text;
  std::filesystem::permissions(path, mode);
}

Loaded Material::load(std::string_view text, unsigned cpus) const {
  return load_text(text, "m.toml", directory_, kVectorTime, cpus);
}

std::string completed(std::string_view text) {
  std::string whole(text);
  if (!whole.ends_with('\n')) whole += '\n';
  if (whole.find("[outside]") == std::string::npos) whole += "[outside]\nport = \"eth1\"\n";
  if (whole.find("[pki]") == std::string::npos)
    whole += "[pki]\nca = \"ca.crt\"\ncert = \"host.crt\"\nkey = \"host.key\"\n";
  return whole;
}

std::vector<Diagnostic> only(const Loaded& loaded, Severity severity) {
  std::vector<Diagnostic> some;
  for (const auto& diagnostic : loaded.diagnostics)
    if (diagnostic.severity == severity) some.push_back(diagnostic);
  return some;
}

std::string listing(const Loaded& loaded) {
  std::string text;
  for (const auto& diagnostic : loaded.diagnostics) text += diagnostic.to_string() + '\n';
  return text;
}

}  // namespace magnetar::config
