// SPDX-License-Identifier: Apache-2.0
#include "controlplane/pki/issue.h"

#include <algorithm>
#include <utility>

#include "controlplane/pki/ca_pool.h"
#include "controlplane/pki/codec.h"
#include "controlplane/pki/codec_v1.h"
#include "controlplane/pki/codec_v2.h"

namespace magnetar::pki {
namespace {

// What the other fields, tags and lengths may add to names and networks.
constexpr std::size_t kOverhead = 1024;
constexpr std::size_t kLargestNetwork = 19;

auto refuse(std::string what) { return fail(IssueError{std::move(what)}); }

CertificateFacts facts_of(const Request& request) {
  CertificateFacts facts;
  facts.version = request.version;
  facts.curve = request.public_key.curve();
  facts.name = request.name;
  facts.networks = request.networks;
  facts.unsafe_networks = request.unsafe_networks;
  facts.groups = request.groups;
  facts.not_before = request.not_before;
  facts.not_after = request.not_after;
  if (request.version == 1) return facts;
  std::ranges::sort(facts.networks);
  std::ranges::sort(facts.unsafe_networks);
  return facts;
}

bool fits(const Request& request) {
  std::size_t size = kOverhead + request.name.size();
  for (const std::string& group : request.groups) size += group.size() + 4;
  size += kLargestNetwork * (request.networks.size() + request.unsafe_networks.size());
  return size <= kMaxCertificateSize;
}

bool all_v4(const std::vector<Prefix>& networks) {
  return std::ranges::all_of(networks, [](const Prefix& p) { return p.addr.is_v4(); });
}

Result<void, IssueError> check(const Request& request) {
  if (!is_known_version(request.version)) return refuse("there is no such version");
  if (request.name.empty()) return refuse("a name is needed");
  if (!fits(request)) return refuse("more names and networks than fit into a certificate");
  if (request.not_after < request.not_before) return refuse("it would end before it begins");
  if (request.version == 1 && !(all_v4(request.networks) && all_v4(request.unsafe_networks)))
    return refuse("a version 1 certificate holds IPv4 networks only");
  return {};
}

// Signs `facts` and reads the result back.
Result<Certificate, IssueError> seal(CertificateFacts facts, const PublicKey& public_key,
                                     const crypto::SigningKey& key) {
  const bool v2 = facts.version == 2;
  Certificate draft;
  draft.signed_bytes = v2 ? to_be_signed_v2(facts, public_key) : to_be_signed_v1(facts, public_key);
  draft.signature = key.sign(draft.signed_bytes);
  draft.public_key = to_vector(public_key);
  static_cast<CertificateFacts&>(draft) = std::move(facts);
  auto sealed = v2 ? decode_v2(encode(draft)) : decode_v1(encode(draft));
  if (!sealed) return refuse(sealed.error().what);
  return *std::move(sealed);
}

}  // namespace

Result<Certificate, IssueError> self_sign(const Request& request, const crypto::SigningKey& key) {
  if (auto good = check(request); !good) return fail(std::move(good).error());
  if (!(request.public_key == key.public_key()))
    return refuse("the private key does not belong to the public key");
  CertificateFacts facts = facts_of(request);
  facts.is_ca = true;
  return seal(std::move(facts), request.public_key, key);
}

Result<Certificate, IssueError> sign(const Request& request, const Certificate& ca,
                                     const crypto::SigningKey& key) {
  if (auto good = check(request); !good) return fail(std::move(good).error());
  if (!ca.is_ca) return refuse("the certificate to sign with is not a CA's");
  if (request.public_key.curve() != ca.curve) return refuse("the host's key is of another curve");
  if (key.curve() != ca.curve || !std::ranges::equal(key.public_key().view(), ca.public_key))
    return refuse("the private key does not belong to the CA's certificate");
  CertificateFacts facts = facts_of(request);
  facts.issuer = ca.fingerprint;
  auto sealed = seal(std::move(facts), request.public_key, key);
  if (!sealed) return sealed;
  if (const auto allowed = check_content(*sealed, ca); !allowed)
    return refuse("it would be " + std::string(text(allowed.error())));
  return sealed;
}

}  // namespace magnetar::pki
