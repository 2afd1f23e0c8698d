// SPDX-License-Identifier: Apache-2.0
// [pki]: who we are and whom we trust, from files or PEM text.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <optional>
#include <utility>

#include <sodium.h>

#include "controlplane/config/file_text.h"
#include "controlplane/config/section.h"
#include "controlplane/config/sections.h"
#include "controlplane/pki/pem.h"

namespace magnetar::config {
namespace {

namespace fs = std::filesystem;
using pki::CaPool;
using pki::Certificate;
using pki::VerifyError;

constexpr mode_t kOthersMayRead = 0077;

std::string rfc3339(WallTime time) {
  const std::time_t seconds =
      std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  std::tm utc{};
  char text[sizeof("-2147481748-01-01T00:00:00Z")];
  if (gmtime_r(&seconds, &utc) == nullptr) return "an unknown time";
  return {text, std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

std::string named(const Certificate& certificate) { return in_quotes(certificate.name); }

// " expired at ..." or " is not valid before ...", with today's date for whoever has a wrong clock;
// empty when the certificate is valid.
std::string date_problem(const Certificate& certificate, WallTime now) {
  const std::string today = " (it is " + rfc3339(now) + " now)";
  if (now > certificate.not_after) return " expired at " + rfc3339(certificate.not_after) + today;
  if (now < certificate.not_before)
    return " is not valid before " + rfc3339(certificate.not_before) + today;
  return {};
}

class IdentityReader {
 public:
  IdentityReader(const toml::table& root, const fs::path& directory, WallTime now, Report& report)
      : section_(root, "pki", report), directory_(directory), now_(now) {}

  [[nodiscard]] std::shared_ptr<const Identity> read();

 private:
  [[nodiscard]] std::optional<FileText> pem_text(std::string_view key) const;
  [[nodiscard]] std::optional<CaPool> read_cas() const;
  [[nodiscard]] std::optional<Certificate> read_certificate() const;
  [[nodiscard]] std::optional<StaticPrivateKey> read_key() const;
  [[nodiscard]] pki::Blocklist read_blocklist() const;

  [[nodiscard]] fs::path resolved(std::string_view path) const { return directory_ / path; }
  void warn_if_shared(const FileText& key) const;
  void check_ca_dates(const CaPool& cas) const;
  void check_own(const Certificate& own) const;
  void check_vouched(const Certificate& own, const CaPool& cas,
                     const pki::Blocklist& blocklist) const;
  void check_matches(const Certificate& own, const StaticPrivateKey& key) const;

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

std::optional<Certificate> IdentityReader::read_certificate() const {
  const auto text = pem_text("cert");
  if (!text) return std::nullopt;
  auto certificates = pki::certificates_from_pem(text->text());
  if (!certificates) {
    section_.error("cert", "cannot be used as a host certificate: " + certificates.error().what);
    return std::nullopt;
  }
  if (certificates->size() != 1) {
    section_.error("cert", "holds " + std::to_string(certificates->size()) +
                               " certificates; exactly one, this host's, is expected");
    return std::nullopt;
  }
  const Certificate& own = certificates->front();
  if (own.version != 1 || own.curve != pki::Curve::k25519) {
    section_.error("cert", "the certificate of " + named(own) +
                               " is not of version 1 and curve 25519; only those are supported yet");
    return std::nullopt;
  }
  return std::move(certificates->front());
}

std::optional<StaticPrivateKey> IdentityReader::read_key() const {
  const auto text = pem_text("key");
  if (!text) return std::nullopt;
  warn_if_shared(*text);
  auto key = pki::private_key_from_pem(text->text());
  if (key) return std::move(key->secret);
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

void IdentityReader::check_own(const Certificate& own) const {
  if (own.is_ca)
    section_.error("cert", named(own) + " is a CA; a host certificate, signed by it, is expected");
  const std::string problem = date_problem(own, now_);
  if (!problem.empty())
    section_.error("cert",
                   "the certificate of " + named(own) + problem + "; have a new one signed");
}

std::string names_of(const CaPool& cas) {
  std::string names;
  for (const auto& [fingerprint, ca] : cas.cas())
    names += (names.empty() ? "" : ", ") + named(ca) + " (" + fingerprint.to_string() + ")";
  return names;
}

// Why `own` is refused, with the names an operator needs to mend it.
std::string refusal(const Certificate& own, const CaPool& cas, VerifyError error) {
  const std::string subject = "the certificate of " + named(own);
  if (error == VerifyError::kBlocked)
    return subject + " (" + own.fingerprint.to_string() +
           ") is on pki.blocklist; use another certificate or take it off the list";
  if (error == VerifyError::kUnknownIssuer)
    return "no CA vouches for " + subject + ": its issuer is " + own.issuer->to_string() +
           ", pki.ca holds " + names_of(cas) +
           "; add the issuer to pki.ca or have the certificate signed by one of these";
  const Certificate* ca = own.issuer ? cas.find(*own.issuer) : nullptr;
  const std::string signer = ca == nullptr ? "" : ", issued by the CA " + named(*ca) + ",";
  std::string text = subject + signer + " is refused: " + std::string(pki::text(error));
  if (error == VerifyError::kCaExpired && ca != nullptr)
    text += " (" + rfc3339(ca->not_after) + ")";
  if (error == VerifyError::kOutlivesCa && ca != nullptr)
    text += " (" + rfc3339(own.not_after) + " is after " + rfc3339(ca->not_after) + ")";
  return text + "; have a new one signed";
}

void IdentityReader::check_vouched(const Certificate& own, const CaPool& cas,
                                   const pki::Blocklist& blocklist) const {
  const auto verified = cas.verify(own, now_, blocklist);
  if (verified) return;
  const VerifyError error = verified.error();
  // check_own() has said so already, with dates.
  if (own.is_ca || error == VerifyError::kExpired || error == VerifyError::kNotYetValid) return;
  section_.error("cert", refusal(own, cas, error));
}

void IdentityReader::check_matches(const Certificate& own, const StaticPrivateKey& key) const {
  Bytes public_key(crypto_scalarmult_BYTES);
  if (crypto_scalarmult_base(u8(MutableBytes(public_key)), u8(key.reveal())) == 0 &&
      public_key == own.public_key)
    return;
  section_.error("key", "the private key does not belong to the certificate of " + named(own) +
                            " in pki.cert; use the key that was made with it");
}

std::shared_ptr<const Identity> IdentityReader::read() {
  auto cas = read_cas();
  auto own = read_certificate();
  auto key = read_key();
  auto blocklist = read_blocklist();
  if (own) check_own(*own);
  if (own && cas) check_vouched(*own, *cas, blocklist);
  if (own && key && !own->is_ca) check_matches(*own, *key);
  if (!own || !key || !cas) return nullptr;
  return std::make_shared<const Identity>(
      Identity{std::move(*own), std::move(*key), std::move(*cas), std::move(blocklist)});
}

}  // namespace

std::shared_ptr<const Identity> read_identity(const toml::table& root, const fs::path& directory,
                                              WallTime now, Report& report) {
  return IdentityReader(root, directory, now, report).read();
}

}  // namespace magnetar::config
