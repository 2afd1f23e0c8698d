// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/cert/host_key.h"

#include <utility>

#include "controlplane/crypto/key_agreement.h"

namespace magnetar::cli::cert {

HostKeys new_host_keys(Curve curve, RandomSource& random) {
  const crypto::KeyAgreement& agreement = crypto::key_agreement(curve);
  HostKeys keys;
  keys.own.curve = curve;
  do random.fill(keys.own.secret.fill());
  while (!agreement.is_private_key(keys.own.secret));
  keys.given_out = agreement.public_key_of(keys.own.secret);
  return keys;
}

bool is_usable(const PublicKey& key, RandomSource& random) {
  const HostKeys other = new_host_keys(key.curve(), random);
  return crypto::key_agreement(key.curve()).agree(other.own.secret, key).has_value();
}

}  // namespace magnetar::cli::cert
