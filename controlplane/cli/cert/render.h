// SPDX-License-Identifier: Apache-2.0
// Certificates as nebula-cert 1.11 prints them, byte for byte but for the time zone: times are UTC.
// Pure.
#pragma once

#include <span>
#include <string>

#include <nlohmann/json.hpp>

#include "controlplane/pki/certificate.h"

namespace magnetar::cli::cert {

// One certificate. What version 2 keeps beside the details lies within them in version 1.
[[nodiscard]] nlohmann::json to_json(const pki::Certificate& certificate);

// For people: the same, indented, one after the other.
[[nodiscard]] std::string render_text(std::span<const pki::Certificate> certificates);
// For scripts: an array on one line.
[[nodiscard]] std::string render_json(std::span<const pki::Certificate> certificates);
// Lower case.
[[nodiscard]] std::string hex(ByteView bytes);
// A document on one line.
[[nodiscard]] std::string one_line(const nlohmann::json& document);

}  // namespace magnetar::cli::cert
