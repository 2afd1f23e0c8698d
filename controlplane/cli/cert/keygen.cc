// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <utility>

#include "controlplane/cli/cert/commands.h"
#include "controlplane/cli/cert/host_key.h"
#include "controlplane/cli/cert/render.h"
#include "controlplane/cli/cert/values.h"

namespace magnetar::cli::cert {
namespace {

constexpr std::array kFlags{
    FlagRule{"out-key", "FILE", "", "where the private key goes; - is standard output; required"},
    FlagRule{"out-pub", "FILE", "", "where the public key goes; required"},
    FlagRule{"curve", "25519|P256", "25519", "curve of the network"},
    kJsonFlag,
};

}  // namespace

std::span<const FlagRule> keygen_flags() { return kFlags; }

Answer keygen(const Flags& flags, const Surroundings& around) {
  if (auto there = require(flags, {"out-key", "out-pub"}); !there)
    return fail(std::move(there).error());
  const auto curve = curve_of(flags["curve"]);
  if (!curve) return fail(curve.error());
  const std::array outputs{FileFlag{"out-key", flags["out-key"]},
                           FileFlag{"out-pub", flags["out-pub"]}};
  if (auto room = check_room(outputs, around); !room) return fail(std::move(room).error());

  const HostKeys keys = new_host_keys(*curve, around.random);
  const std::array files{NewFile{flags["out-key"], SecretText(pki::to_pem(keys.own))},
                         NewFile{flags["out-pub"], SecretText(pki::to_pem(keys.given_out))}};
  auto written = write_new(files);
  if (!written || !around.as_json) return written;
  return SecretText(one_line({{"curve", curve_name(*curve)}, {"publicKey", hex(keys.given_out)}}));
}

}  // namespace magnetar::cli::cert
