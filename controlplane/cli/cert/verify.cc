// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <utility>

#include <nlohmann/json.hpp>

#include "controlplane/cli/cert/commands.h"
#include "controlplane/cli/cert/render.h"
#include "controlplane/pki/ca_pool.h"

namespace magnetar::cli::cert {
namespace {

using pki::Certificate;
using pki::VerifyError;

constexpr std::array kFlags{
    FlagRule{"ca", "FILE", "", "certificates of the CAs to trust; - is standard input; required"},
    FlagRule{"crt", "FILE", "", "certificates to verify; required"},
    kJsonFlag,
};

std::string title(const Certificate& certificate) {
  return "'" + certificate.name + "' (version " + std::to_string(certificate.version) + ", " +
         certificate.fingerprint.to_string() + ")";
}

Result<pki::CaPool, Problem> read_pool(const std::string& path) {
  auto certificates = read_certificates(path);
  if (!certificates) return fail(std::move(certificates).error());
  pki::CaPool pool;
  for (Certificate& ca : *certificates) {
    const std::string shown = title(ca);
    if (const auto added = pool.add(std::move(ca)); !added)
      return failed("'" + path + "': " + shown + ": " + std::string(text(added.error())));
  }
  return pool;
}

// What of the certificate, its CA or the clock is behind the refusal.
std::string detail_of(VerifyError error, const Certificate& certificate) {
  const nlohmann::json details = to_json(certificate)["details"];
  switch (error) {
    case VerifyError::kUnknownIssuer:
      return ": " + certificate.issuer.value_or(pki::Fingerprint{}).to_string() +
             " is not among those of -ca";
    case VerifyError::kExpired:
      return " on " + details["notAfter"].get<std::string>();
    case VerifyError::kNotYetValid:
      return ", but from " + details["notBefore"].get<std::string>();
    default:
      return "";
  }
}

}  // namespace

std::span<const FlagRule> verify_flags() { return kFlags; }

Answer verify(const Flags& flags, const Surroundings& around) {
  if (auto there = require(flags, {"ca", "crt"}); !there) return fail(std::move(there).error());
  const std::array inputs{FileFlag{"ca", flags["ca"]}, FileFlag{"crt", flags["crt"]}};
  if (auto apart = check_inputs(inputs); !apart) return fail(std::move(apart).error());
  const auto pool = read_pool(flags["ca"]);
  if (!pool) return fail(pool.error());
  const auto certificates = read_certificates(flags["crt"]);
  if (!certificates) return fail(certificates.error());

  nlohmann::json verdicts = nlohmann::json::array();
  std::string reasons;
  for (const Certificate& certificate : *certificates) {
    const auto good = pool->verify(certificate, around.now, {});
    std::string reason;
    if (!good) reason = std::string(text(good.error())) + detail_of(good.error(), certificate);
    if (!good) reasons += "'" + flags["crt"] + "': " + title(certificate) + ": " + reason + "\n";
    verdicts.push_back({{"name", certificate.name},
                        {"version", certificate.version},
                        {"fingerprint", certificate.fingerprint.to_string()},
                        {"valid", good.has_value()},
                        {"reason", reason}});
  }
  std::string document = around.as_json ? one_line(verdicts) : "";
  if (reasons.empty()) return SecretText(std::move(document));
  return fail(Problem{Problem::Kind::kFailed, std::move(reasons), std::move(document)});
}

}  // namespace magnetar::cli::cert
