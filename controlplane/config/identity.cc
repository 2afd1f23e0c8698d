// SPDX-License-Identifier: Apache-2.0
// [pki]: who we are and whom we trust, from files or PEM text.
#include <algorithm>
#include <cstdio>
#include <optional>
#include <utility>
#include <vector>

#include "controlplane/config/file_text.h"
#include "controlplane/config/identity_text.h"
#include "controlplane/config/section.h"
#include "controlplane/config/sections.h"
#include "controlplane/crypto/key_agreement.h"
#include "controlplane/pki/pem.h"

namespace magnetar::config {
namespace {

namespace fs = std::filesystem;
using pki::CaPool;
using pki::Certificate;
using pki::VerifyError;

constexpr mode_t kOthersMayRead = 0077;

using Certificates = std::vector<Certificate>;

class IdentityReader {
 public:
  IdentityReader(const toml::table& root, const fs::path& directory, WallTime now, Report& report)
      : section_(root, "pki", report), directory_(directory), now_(now) {}

  [[nodiscard]] std::shared_ptr<const Identity> read();

 private:
  [[nodiscard]] std::optional<FileText> pem_text(std::string_view key) const;
  [[nodiscard]] std::optional<CaPool> read_cas() const;
  // One, or one of each version, version 1 first. Empty when there is an error.
  [[nodiscard]] Certificates read_certificates() const;
  [[nodiscard]] std::optional<pki::HostKey> read_key() const;
  [[nodiscard]] pki::Blocklist read_blocklist() const;
  // Of the certificate that handshakes begin with.
  [[nodiscard]] std::size_t read_initiating_version(const Certificates& own) const;

  [[nodiscard]] fs::path resolved(std::string_view path) const { return directory_ / path; }
  void warn_if_shared(const FileText& key) const;
  void check_ca_dates(const CaPool& cas) const;
  void check_dates(const Certificate& own, const std::string& subject) const;
  void check_vouched(const Certificate& own, const std::string& subject, const CaPool& cas,
                     const pki::Blocklist& blocklist) const;
  // Whether two certificates are one host's; what is not is reported.
  [[nodiscard]] bool check_pair(const Certificates& own) const;
  void check_matches(const Certificate& own, const pki::HostKey& key) const;

  Section section_;
  const fs::path& directory_;
  WallTime now_;
};

std::optional<FileText> IdentityReader::pem_text(std::string_view key) const {
  section_.require(key);
  std::string written;
  section_.text(
      key, written,
      [](std::string_view text) {
        return text.empty() ? std::nullopt : std::optional(std::string(text));
      },
      "the path of a file or PEM text is expected");
  if (written.empty()) return std::nullopt;
  if (written.find("-----BEGIN") != std::string::npos) return FileText(std::move(written), 0);
  auto file = read_file(resolved(written));
  if (file) return std::move(*file);
  section_.error(key, "cannot read " + in_quotes(resolved(written).string()) + ": " + file.error());
  return std::nullopt;
}

std::optional<CaPool> IdentityReader::read_cas() const {
  const auto text = pem_text("ca");
  if (!text) return std::nullopt;
  auto certificates = pki::certificates_from_pem(text->text());
  if (!certificates) {
    section_.error("ca", "cannot be used as CA certificates: " + certificates.error().what);
    return std::nullopt;
  }
  CaPool cas;
  bool complete = true;
  for (Certificate& ca : *certificates) {
    const std::string name = named(ca);
    const auto added = cas.add(std::move(ca));
    if (added) continue;
    complete = false;
    section_.error("ca", "the certificate of " + name + " is " +
                             std::string(pki::text(added.error())) + "; take it out of pki.ca");
  }
  check_ca_dates(cas);
  // A pool that lacks a CA would only make further errors out of the first.
  return complete ? std::optional(std::move(cas)) : std::nullopt;
}

void IdentityReader::check_ca_dates(const CaPool& cas) const {
  const auto is_valid = [&](const auto& entry) { return date_problem(entry.second, now_).empty(); };
  const bool any_valid = std::ranges::any_of(cas.cas(), is_valid);
  for (const auto& [fingerprint, ca] : cas.cas()) {
    const std::string problem = date_problem(ca, now_);
    if (problem.empty()) continue;
    const std::string what = "the CA " + named(ca) + problem;
    if (any_valid)
      section_.warning("ca", what + "; what it signed is refused");
    else
      section_.error("ca", what + ", and no other CA is valid; a valid CA is needed");
  }
}

Certificates IdentityReader::read_certificates() const {
  const auto text = pem_text("cert");
  if (!text) return {};
  auto certificates = pki::certificates_from_pem(text->text());
  if (!certificates) {
    section_.error("cert", "cannot be used as a host certificate: " + certificates.error().what);
    return {};
  }
  std::ranges::sort(*certificates, {}, &Certificate::version);
  if (std::ranges::adjacent_find(*certificates, {}, &Certificate::version) != certificates->end()) {
    section_.error("cert", "holds " + std::to_string(certificates->size()) +
                               " certificates; one, this host's, is expected, or one of each "
                               "version");
    return {};
  }
  return *std::move(certificates);
}

std::optional<pki::HostKey> IdentityReader::read_key() const {
  const auto text = pem_text("key");
  if (!text) return std::nullopt;
  warn_if_shared(*text);
  auto key = pki::private_key_from_pem(text->text());
  if (key) return std::move(*key);
  section_.error("key", "cannot be used as a private key: " + key.error().what);
  return std::nullopt;
}

void IdentityReader::warn_if_shared(const FileText& key) const {
  if ((key.permissions() & kOthersMayRead) == 0) return;
  char mode[8];
  std::snprintf(mode, sizeof(mode), "%04o", key.permissions() & 07777U);
  const auto& written = *section_.find("key")->as_string();
  section_.warning("key", "the private key is open to others (mode " + std::string(mode) +
                              "); run chmod 600 " + resolved(written.get()).string());
}

pki::Blocklist IdentityReader::read_blocklist() const {
  std::vector<pki::Fingerprint> fingerprints;
  section_.texts("blocklist", fingerprints, pki::Fingerprint::parse,
                 "the fingerprint of a certificate is 64 hexadecimal digits", Repeats::kAllowed);
  return {fingerprints.begin(), fingerprints.end()};
}

std::size_t IdentityReader::read_initiating_version(const Certificates& own) const {
  std::uint8_t wanted = 0;
  section_.number("initiating_version", wanted, {1, 2}, "certificates are of version 1 or 2");
  if (wanted == 0 || own.empty()) return 0;  // the lower one, as Nebula
  const auto found = std::ranges::find(own, wanted, &Certificate::version);
  if (found != own.end()) return static_cast<std::size_t>(found - own.begin());
  const std::string version = std::to_string(wanted);
  section_.error("initiating_version", "is " + version + ", but pki.cert holds no version " +
                                           version + " certificate; add one or leave this key out");
  return 0;
}

void IdentityReader::check_dates(const Certificate& own, const std::string& subject) const {
  if (own.is_ca)
    section_.error("cert", named(own) + " is a CA; a host certificate, signed by it, is expected");
  const std::string problem = date_problem(own, now_);
  if (!problem.empty()) section_.error("cert", subject + problem + "; have a new one signed");
}

void IdentityReader::check_vouched(const Certificate& own, const std::string& subject,
                                   const CaPool& cas, const pki::Blocklist& blocklist) const {
  const auto verified = cas.verify(own, now_, blocklist);
  if (verified) return;
  const VerifyError error = verified.error();
  // check_dates() has said so already, with dates.
  if (own.is_ca || error == VerifyError::kExpired || error == VerifyError::kNotYetValid) return;
  section_.error("cert", refusal(subject, own, cas, error));
}

bool IdentityReader::check_pair(const Certificates& own) const {
  if (own.size() < 2) return true;
  const Certificate& v1 = own[0];
  const Certificate& v2 = own[1];
  std::string difference;
  if (v1.is_ca || v2.is_ca || v1.networks.empty()) return false;  // said already
  if (v1.curve != v2.curve)
    difference = "are of different curves; a host has one key";
  else if (v1.public_key != v2.public_key)
    difference = "are of different keys; have both signed for the public key of pki.key";
  else if (v1.networks.front() != v2.networks.front())
    difference = "have different first networks (" + v1.networks.front().to_string() + " and " +
                 v2.networks.front().to_string() + "); have both signed with the same";
  if (difference.empty()) return true;
  section_.error("cert",
                 "the version 1 and the version 2 certificate of " + named(v1) + " " + difference);
  return false;
}

void IdentityReader::check_matches(const Certificate& own, const pki::HostKey& key) const {
  if (key.curve != own.curve) {
    section_.error("key", "the private key is of curve " + std::string(curve_name(key.curve)) +
                              ", the certificate of " + named(own) + " in pki.cert of curve " +
                              std::string(curve_name(own.curve)) +
                              "; use the key that was made with it");
    return;
  }
  const PublicKey public_key = crypto::key_agreement(key.curve).public_key_of(key.secret);
  if (std::ranges::equal(public_key.view(), own.public_key)) return;
  section_.error("key", "the private key does not belong to the certificate of " + named(own) +
                            " in pki.cert; use the key that was made with it");
}

std::shared_ptr<const Identity> IdentityReader::read() {
  auto cas = read_cas();
  auto own = read_certificates();
  auto key = read_key();
  auto blocklist = read_blocklist();
  const std::size_t first = read_initiating_version(own);
  for (const Certificate& one : own) {
    const std::string version =
        own.size() == 1 ? "" : "version " + std::to_string(one.version) + " ";
    const std::string subject = "the " + version + "certificate of " + named(one);
    check_dates(one, subject);
    if (cas) check_vouched(one, subject, *cas, blocklist);
  }
  const bool one_host = !own.empty() && check_pair(own);
  if (one_host && key && !own[0].is_ca) check_matches(own[0], *key);
  if (!one_host || !key || !cas) return nullptr;
  Identity identity{.certificate = std::move(own[first]),
                    .private_key = std::move(key->secret),
                    .cas = std::move(*cas),
                    .blocklist = std::move(blocklist)};
  if (own.size() == 2) identity.other = std::move(own[1 - first]);
  return std::make_shared<const Identity>(std::move(identity));
}

}  // namespace

std::shared_ptr<const Identity> read_identity(const toml::table& root, const fs::path& directory,
                                              WallTime now, Report& report) {
  return IdentityReader(root, directory, now, report).read();
}

}  // namespace magnetar::config
