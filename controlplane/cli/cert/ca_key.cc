// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/cert/ca_key.h"

#include <algorithm>
#include <utility>

#include "controlplane/cli/cert/encrypted_key.h"
#include "controlplane/ops/time_text.h"
#include "controlplane/pki/pem.h"

namespace magnetar::cli::cert {
namespace {

using crypto::SigningKey;

Result<SigningKey, Problem> read_key(const std::string& path, const Surroundings& around) {
  const auto text = read_whole(path);
  if (!text) return fail(text.error());
  if (!is_encrypted(text->reveal())) {
    auto key = pki::signing_key_from_pem(text->reveal());
    if (!key) return failed("'" + path + "': " + key.error().what);
    return *std::move(key);
  }
  const auto passphrase = around.passphrase();
  if (!passphrase) return fail(passphrase.error());
  auto key = decrypt(text->reveal(), passphrase->reveal());
  if (!key) return failed("'" + path + "': " + key.error().text);
  return *std::move(key);
}

bool belongs_to(const pki::Certificate& certificate, const SigningKey& key) {
  return certificate.is_ca && certificate.curve == key.curve() &&
         std::ranges::equal(certificate.public_key, key.public_key().view());
}

}  // namespace

Result<Authority, Problem> read_authority(const std::string& crt_path, const std::string& key_path,
                                          const Surroundings& around) {
  auto certificates = read_certificates(crt_path);
  if (!certificates) return fail(std::move(certificates).error());
  auto key = read_key(key_path, around);
  if (!key) return fail(std::move(key).error());
  const auto found = std::ranges::find_if(
      *certificates, [&](const pki::Certificate& each) { return belongs_to(each, *key); });
  if (found == certificates->end())
    return failed("'" + crt_path + "' holds no CA's certificate to which the key of '" + key_path +
                  "' belongs");
  if (found->not_after < around.now)
    return failed("'" + crt_path + "': the CA expired on " +
                  ops::rfc3339(ops::unix_seconds(found->not_after)));
  return Authority{std::move(*found), *std::move(key)};
}

}  // namespace magnetar::cli::cert
