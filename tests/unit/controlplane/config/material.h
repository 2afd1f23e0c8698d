// SPDX-License-Identifier: Apache-2.0
// Certificates and keys from the vectors, as files for configurations to name.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/config/load.h"

namespace magnetar::config {

// The time at which the vectors say what verifies.
inline constexpr WallTime kVectorTime{std::chrono::seconds(1'750'000'000)};
// CPUs of the machine that the tests imagine.
inline constexpr unsigned kTestCpus = 8;

[[nodiscard]] std::string ca_pem(std::string_view name);     // "main"
[[nodiscard]] std::string cert_pem(std::string_view label);  // "good-initiator"
[[nodiscard]] std::string key_pem(std::string_view label);
[[nodiscard]] std::string fingerprint_of(std::string_view label);

// A folder with ca.crt, host.crt and host.key (mode 0600) of 10.42.0.1/16, gone with this object.
class Material {
 public:
  Material();
  ~Material();
  Material(const Material&) = delete;
  Material& operator=(const Material&) = delete;

  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
  void write(std::string_view name, std::string_view text,
             std::filesystem::perms mode = std::filesystem::perms::owner_read |
                                           std::filesystem::perms::owner_write) const;
  // Loads `text` as "m.toml" of this folder.
  [[nodiscard]] Loaded load(std::string_view text, unsigned cpus = kTestCpus) const;

 private:
  std::filesystem::path directory_;
};

// `text`, followed by the tables that must be there and are not in it.
[[nodiscard]] std::string completed(std::string_view text);

[[nodiscard]] std::vector<Diagnostic> only(const Loaded& loaded, Severity severity);

// Every diagnostic on a line of its own.
[[nodiscard]] std::string listing(const Loaded& loaded);

}  // namespace magnetar::config
