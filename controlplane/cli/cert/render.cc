// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/cert/render.h"

#include <array>
#include <string_view>
#include <vector>

#include <sodium.h>

#include "controlplane/ops/time_text.h"

namespace magnetar::cli::cert {
namespace {

using nlohmann::json;

// Nebula's version 1 knows empty lists, its version 2 knows none.
json list(std::uint8_t version, std::vector<std::string> texts) {
  if (texts.empty() && version != 1) return nullptr;
  return texts;
}

json networks(std::uint8_t version, const std::vector<Prefix>& prefixes) {
  std::vector<std::string> texts;
  for (const Prefix& prefix : prefixes) texts.push_back(prefix.to_string());
  return list(version, std::move(texts));
}

struct Escape {
  std::string_view raw;
  std::string_view escaped;
};
// What Go's encoder writes in another way than ours does.
constexpr std::array kEscapes{
    Escape{"<", "\\u003c"},      Escape{">", "\\u003e"},      Escape{"&", "\\u0026"},
    Escape{"\u2028", "\\u2028"}, Escape{"\u2029", "\\u2029"},
};

// These occur only within texts, where an escape may stand for each.
std::string escaped(std::string_view document) {
  std::string out;
  while (!document.empty()) {
    std::string_view next = document.substr(0, 1);
    std::size_t taken = 1;
    for (const Escape& escape : kEscapes) {
      if (!document.starts_with(escape.raw)) continue;
      next = escape.escaped;
      taken = escape.raw.size();
    }
    out += next;
    document.remove_prefix(taken);
  }
  return out;
}

std::string dump(const json& document, int indent) {
  return escaped(document.dump(indent, '\t', false, json::error_handler_t::replace)) + "\n";
}

}  // namespace

std::string hex(ByteView bytes) {
  std::string text(bytes.size() * 2 + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), u8(bytes), bytes.size());
  text.pop_back();  // sodium's end of the text
  return text;
}

json to_json(const pki::Certificate& certificate) {
  const std::uint8_t version = certificate.version;
  json details{
      {"groups", list(version, certificate.groups)},
      {"isCa", certificate.is_ca},
      {"issuer", certificate.issuer ? certificate.issuer->to_string() : ""},
      {"name", certificate.name},
      {"networks", networks(version, certificate.networks)},
      {"notAfter", ops::rfc3339(ops::unix_seconds(certificate.not_after))},
      {"notBefore", ops::rfc3339(ops::unix_seconds(certificate.not_before))},
      {"unsafeNetworks", networks(version, certificate.unsafe_networks)},
  };
  json out{
      {"fingerprint", certificate.fingerprint.to_string()},
      {"signature", hex(certificate.signature)},
      {"version", version},
  };
  json& place_of_key = version == 1 ? details : out;
  place_of_key["curve"] = curve_name(certificate.curve);
  place_of_key["publicKey"] = hex(certificate.public_key);
  out["details"] = std::move(details);
  return out;
}

std::string render_text(std::span<const pki::Certificate> certificates) {
  std::string text;
  for (const pki::Certificate& certificate : certificates) text += dump(to_json(certificate), 1);
  return text;
}

std::string render_json(std::span<const pki::Certificate> certificates) {
  json all = json::array();
  for (const pki::Certificate& certificate : certificates) all.push_back(to_json(certificate));
  return dump(all, -1);
}

std::string one_line(const json& document) { return dump(document, -1); }

}  // namespace magnetar::cli::cert
