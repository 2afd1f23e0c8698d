// SPDX-License-Identifier: Apache-2.0
// New certificates: what `magnetar cert ca` and `magnetar cert sign` are made of. Pure; time is in
// the request, randomness only in the key.
//
//   auto key = crypto::SigningKey::generate(Curve::kP256, random);   // or signing_key_from_pem()
//   auto ca = pki::self_sign({.version = 2, .name = "net", ..., .public_key = key.public_key()},
//                            key);
//   auto host = pki::sign(request, *ca, key);                        // refuses what `ca` may not
//   to_pem(*host);                                                   // pem.h
//
// What comes out was decoded from the bytes it will be written as: fingerprint, sorted networks and
// cut fractions of seconds are as any reader will see them.
#pragma once

#include <string>
#include <vector>

#include "controlplane/crypto/curve.h"
#include "controlplane/crypto/signature.h"
#include "controlplane/pki/certificate.h"
#include "dataplane/base/result.h"

namespace magnetar::pki {

struct Request {
  std::uint8_t version = 2;
  std::string name;
  std::vector<Prefix> networks;         // any order; version 1: IPv4 only. CA: what it may give
  std::vector<Prefix> unsafe_networks;  // the same
  std::vector<std::string> groups;
  WallTime not_before;
  WallTime not_after;
  PublicKey public_key;  // its curve is the certificate's
};

struct IssueError {
  std::string what;  // completes "cannot sign: "
};

// A CA, which vouches for itself: `key` is the private part of request.public_key.
[[nodiscard]] Result<Certificate, IssueError> self_sign(const Request& request,
                                                        const crypto::SigningKey& key);

// A host under `ca`, whose private key is `key`. Refused is what verification would refuse whatever
// the clock says: networks, groups or dates beyond the CA's, a host without a network, an address
// no host can have. Versions may differ: a CA of either signs both.
[[nodiscard]] Result<Certificate, IssueError> sign(const Request& request, const Certificate& ca,
                                                   const crypto::SigningKey& key);

}  // namespace magnetar::pki
