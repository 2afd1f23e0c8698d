// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <limits>
#include <utility>

#include "controlplane/cli/cert/commands.h"
#include "controlplane/cli/cert/encrypted_key.h"
#include "controlplane/cli/cert/values.h"
#include "controlplane/pki/issue.h"
#include "controlplane/pki/pem.h"

namespace magnetar::cli::cert {
namespace {

constexpr std::array kFlags{
    FlagRule{"name", "NAME", "", "name of the certificate authority; required"},
    FlagRule{"version", "1|2", "2", "version of the certificate"},
    FlagRule{"curve", "25519|P256", "25519", "curve of the whole network"},
    FlagRule{"duration", "DURATION", "8760h0m0s", "how long it is valid, in h, m and s"},
    FlagRule{"networks", "LIST", "",
             "addresses with prefix lengths, ',' between them: all that its hosts may have"},
    FlagRule{"unsafe-networks", "LIST", "", "the same for networks behind its hosts"},
    FlagRule{"groups", "LIST", "", "all groups that its hosts may be in"},
    FlagRule{"out-crt", "FILE", "ca.crt", "where the certificate goes; - is standard output"},
    FlagRule{"out-key", "FILE", "ca.key", "where the private key goes"},
    FlagRule{"encrypt", "", "false",
             "encrypt the private key; the passphrase is asked for, or $NEBULA_CA_PASSPHRASE"},
    FlagRule{"argon-memory", "KIB", "2097152", "memory that a guess at the passphrase costs"},
    FlagRule{"argon-iterations", "N", "1", "how often a guess goes through it"},
    FlagRule{"argon-parallelism", "N", "4", "threads that a guess may use"},
    FlagRule{"ips", "LIST", "", "older name of -networks"},
    FlagRule{"subnets", "LIST", "", "older name of -unsafe-networks"},
    kQrFlag,
    kJsonFlag,
};

Result<Argon2, Problem> cost_of(const Flags& flags) {
  constexpr std::uint32_t kMost = std::numeric_limits<std::uint32_t>::max();
  const auto parallelism =
      number_of("argon-parallelism", flags["argon-parallelism"], 1, kMostParallelism);
  if (!parallelism) return fail(parallelism.error());
  // Less memory is too little for so many threads.
  const auto memory = number_of("argon-memory", flags["argon-memory"], 8 * *parallelism, kMost);
  if (!memory) return fail(memory.error());
  const auto iterations = number_of("argon-iterations", flags["argon-iterations"], 1, kMost);
  if (!iterations) return fail(iterations.error());
  return Argon2{*memory, *iterations, *parallelism};
}

Result<pki::Request, Problem> request_of(const Flags& flags, WallTime now) {
  pki::Request request;
  request.name = flags["name"];
  request.groups = list_of(flags["groups"]);
  const auto version = number_of("version", flags["version"], 1, 2);
  if (!version) return fail(version.error());
  request.version = static_cast<std::uint8_t>(*version);
  auto networks = networks_of("networks", either(flags, "networks", "ips"));
  if (!networks) return fail(std::move(networks).error());
  request.networks = *std::move(networks);
  auto unsafe = networks_of("unsafe-networks", either(flags, "unsafe-networks", "subnets"));
  if (!unsafe) return fail(std::move(unsafe).error());
  request.unsafe_networks = *std::move(unsafe);

  const auto duration = duration_of("duration", flags["duration"]);
  if (!duration) return fail(duration.error());
  if (*duration == Duration::zero()) return misused("-duration must be more than 0");
  const auto validity = validity_from(now, *duration);
  if (!validity) return fail(validity.error());
  request.not_before = validity->not_before;
  request.not_after = validity->not_after;
  return request;
}

// As the file of the key will be.
Result<SecretText, Problem> key_text(const crypto::SigningKey& key, const Flags& flags,
                                     const Surroundings& around) {
  if (!flags.is_on("encrypt")) return SecretText(pki::to_pem(key));
  const auto cost = cost_of(flags);
  if (!cost) return fail(cost.error());
  const auto passphrase = around.passphrase();
  if (!passphrase) return fail(passphrase.error());
  auto text = encrypt(key, passphrase->reveal(), *cost, around.random);
  if (!text) return fail(std::move(text).error());
  return SecretText(*std::move(text));
}

}  // namespace

std::span<const FlagRule> ca_flags() { return kFlags; }

Answer ca(const Flags& flags, const Surroundings& around) {
  if (auto there = require(flags, {"name", "out-key", "out-crt"}); !there)
    return fail(std::move(there).error());
  if (auto none = refuse_qr(flags); !none) return fail(std::move(none).error());
  auto request = request_of(flags, around.now);
  if (!request) return fail(std::move(request).error());
  const auto curve = curve_of(flags["curve"]);
  if (!curve) return fail(curve.error());
  const std::array outputs{FileFlag{"out-key", flags["out-key"]},
                           FileFlag{"out-crt", flags["out-crt"]}};
  if (auto room = check_room(outputs, around); !room) return fail(std::move(room).error());

  const auto key = crypto::SigningKey::generate(*curve, around.random);
  request->public_key = key.public_key();
  const auto certificate = pki::self_sign(*request, key);
  if (!certificate) return failed("cannot sign: " + certificate.error().what);
  auto text = key_text(key, flags, around);
  if (!text) return fail(std::move(text).error());
  const std::array files{NewFile{flags["out-key"], *std::move(text)},
                         NewFile{flags["out-crt"], SecretText(pki::to_pem(*certificate))}};
  return deliver(files, std::span(&*certificate, 1), around);
}

}  // namespace magnetar::cli::cert
