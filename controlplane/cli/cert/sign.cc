// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "controlplane/cli/cert/ca_key.h"
#include "controlplane/cli/cert/commands.h"
#include "controlplane/cli/cert/host_key.h"
#include "controlplane/cli/cert/limits.h"
#include "controlplane/cli/cert/values.h"
#include "controlplane/pki/issue.h"
#include "controlplane/pki/pem.h"

namespace magnetar::cli::cert {
namespace {

using pki::Certificate;

constexpr std::array kFlags{
    FlagRule{"name", "NAME", "", "name of the host; required"},
    FlagRule{"networks", "LIST", "",
             "overlay addresses with prefix lengths, ',' between them; required"},
    FlagRule{"unsafe-networks", "LIST", "", "networks behind the host that it may route for"},
    FlagRule{"groups", "LIST", "", "groups the host is in"},
    FlagRule{"duration", "DURATION", "0s",
             "how long it is valid, in h, m and s; 0s: until a second before the CA expires"},
    FlagRule{"version", "1|2", "0", "version of the certificate; 0: that of the CA's"},
    FlagRule{"ca-crt", "FILE", "ca.crt", "certificate of the CA; - is standard input"},
    FlagRule{"ca-key", "FILE", "ca.key", "private key of the CA"},
    FlagRule{"in-pub", "FILE", "", "public key of the host, if it has one; else a key is made"},
    FlagRule{"out-crt", "FILE", "", "where the certificate goes; without: NAME.crt"},
    FlagRule{"out-key", "FILE", "", "where the private key goes; without: NAME.key"},
    FlagRule{"ip", "ADDRESS", "", "older name of -networks"},
    FlagRule{"subnets", "LIST", "", "older name of -unsafe-networks"},
    kQrFlag,
    kJsonFlag,
};

Result<void, Problem> check_flags(const Flags& flags) {
  if (auto there = require(flags, {"ca-key", "ca-crt", "name"}); !there) return there;
  if (either(flags, "networks", "ip").empty()) return misused("-networks is required");
  if (auto none = refuse_qr(flags); !none) return none;
  if (!flags["in-pub"].empty() && !flags["out-key"].empty())
    return misused(
        "-in-pub and -out-key exclude each other: whoever made the public key has the private one");
  const std::array inputs{FileFlag{"ca-key", flags["ca-key"]}, FileFlag{"ca-crt", flags["ca-crt"]},
                          FileFlag{"in-pub", flags["in-pub"]}};
  return check_inputs(inputs);
}

// All but the key, the version of the CA and the end that the CA may set.
Result<pki::Request, Problem> request_of(const Flags& flags) {
  pki::Request request;
  request.name = flags["name"];
  request.groups = list_of(flags["groups"]);
  const auto version = number_of("version", flags["version"], 0, 2);
  if (!version) return fail(version.error());
  request.version = static_cast<std::uint8_t>(*version);
  auto networks = networks_of("networks", either(flags, "networks", "ip"));
  if (!networks) return fail(std::move(networks).error());
  request.networks = *std::move(networks);
  auto unsafe = networks_of("unsafe-networks", either(flags, "unsafe-networks", "subnets"));
  if (!unsafe) return fail(std::move(unsafe).error());
  request.unsafe_networks = *std::move(unsafe);
  return request;
}

Result<Validity, Problem> validity_of(Duration duration, WallTime now, const Certificate& ca) {
  if (duration != Duration::zero()) return validity_from(now, duration);
  return Validity{full_seconds(now), ca.not_after - std::chrono::seconds(1)};
}

// Nebula before 1.10 reads the first address of a version 1 certificate and ignores the rest.
Result<void, Problem> check_version_1(const pki::Request& request) {
  if (request.version != 1) return {};
  if (request.networks.size() != 1 || !request.networks.front().addr.is_v4())
    return misused("-networks: a version 1 certificate holds one IPv4 address; -version 2 more");
  const auto v4 = [](const Prefix& network) { return network.addr.is_v4(); };
  if (!std::ranges::all_of(request.unsafe_networks, v4))
    return misused("-unsafe-networks: a version 1 certificate holds IPv4 only; -version 2 both");
  return {};
}

// The key of a file.
Result<PublicKey, Problem> read_public_key(const std::string& path, RandomSource& random) {
  const auto text = read_whole(path);
  if (!text) return fail(text.error());
  const auto key = pki::public_key_from_pem(text->reveal());
  if (!key) return failed("'" + path + "': " + key.error().what);
  if (!is_usable(*key, random)) return failed("'" + path + "': no handshake can use this key");
  return *key;
}

struct Subject {
  PublicKey public_key;
  std::optional<pki::HostKey> own;  // none: somebody else has it
};
Result<Subject, Problem> subject_of(const Flags& flags, Curve curve, RandomSource& random) {
  if (flags["in-pub"].empty()) {
    HostKeys keys = new_host_keys(curve, random);
    return Subject{keys.given_out, std::move(keys.own)};
  }
  const auto key = read_public_key(flags["in-pub"], random);
  if (!key) return fail(key.error());
  if (key->curve() != curve)
    return failed("'" + flags["in-pub"] + "' is on " + std::string(curve_name(key->curve())) +
                  " and the CA on " + std::string(curve_name(curve)));
  return Subject{*key, std::nullopt};
}

struct Outputs {
  std::string key;
  std::string crt;
};
Outputs outputs_of(const Flags& flags) {
  const auto or_named = [&](std::string_view flag, const char* ending) {
    return flags[flag].empty() ? flags["name"] + ending : flags[flag];
  };
  return {or_named("out-key", ".key"), or_named("out-crt", ".crt")};
}

Result<void, Problem> check_outputs_of(const Flags& flags, const Outputs& outputs,
                                       const Surroundings& around) {
  std::vector<FileFlag> wanted{{"out-crt", outputs.crt}};
  if (flags["in-pub"].empty()) wanted.push_back({"out-key", outputs.key});
  return check_room(wanted, around);
}

Answer write(const Certificate& certificate, const Subject& subject, const Outputs& outputs,
             const Surroundings& around) {
  std::vector<NewFile> files;
  if (subject.own) files.push_back({outputs.key, SecretText(pki::to_pem(*subject.own))});
  files.push_back({outputs.crt, SecretText(pki::to_pem(certificate))});
  return deliver(files, std::span(&certificate, 1), around);
}

}  // namespace

std::span<const FlagRule> sign_flags() { return kFlags; }

Answer sign(const Flags& flags, const Surroundings& around) {
  if (auto good = check_flags(flags); !good) return fail(std::move(good).error());
  auto request = request_of(flags);
  if (!request) return fail(std::move(request).error());
  const auto duration = duration_of("duration", flags["duration"]);
  if (!duration) return fail(duration.error());
  const Outputs outputs = outputs_of(flags);
  if (auto room = check_outputs_of(flags, outputs, around); !room)
    return fail(std::move(room).error());

  const auto ca = read_authority(flags["ca-crt"], flags["ca-key"], around);
  if (!ca) return fail(ca.error());
  if (request->version == 0) request->version = ca->certificate.version;
  if (auto good = check_version_1(*request); !good) return fail(std::move(good).error());
  const auto validity = validity_of(*duration, around.now, ca->certificate);
  if (!validity) return fail(validity.error());
  request->not_before = validity->not_before;
  request->not_after = validity->not_after;
  if (auto within = check_limits(*request, ca->certificate); !within)
    return fail(std::move(within).error());

  auto subject = subject_of(flags, ca->certificate.curve, around.random);
  if (!subject) return fail(std::move(subject).error());
  request->public_key = subject->public_key;
  const auto certificate = pki::sign(*request, ca->certificate, ca->key);
  if (!certificate) return failed("cannot sign: " + certificate.error().what);
  return write(*certificate, *subject, outputs, around);
}

}  // namespace magnetar::cli::cert
