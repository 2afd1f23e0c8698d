// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <utility>

#include "controlplane/cli/cert/commands.h"
#include "controlplane/cli/cert/render.h"

namespace magnetar::cli::cert {
namespace {

constexpr std::array kFlags{
    FlagRule{"path", "FILE", "",
             "one or more certificates, of CAs or hosts; - is standard input; required"},
    kQrFlag,
    kJsonFlag,
};

}  // namespace

std::span<const FlagRule> print_flags() { return kFlags; }

Answer print(const Flags& flags, const Surroundings& around) {
  if (auto there = require(flags, {"path"}); !there) return fail(std::move(there).error());
  if (auto none = refuse_qr(flags); !none) return fail(std::move(none).error());
  const auto certificates = read_certificates(flags["path"]);
  if (!certificates) return fail(certificates.error());
  return SecretText(around.as_json ? render_json(*certificates) : render_text(*certificates));
}

}  // namespace magnetar::cli::cert
