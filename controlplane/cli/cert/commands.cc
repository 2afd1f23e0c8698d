// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/cert/commands.h"

#include <utility>

#include "controlplane/cli/cert/render.h"
#include "controlplane/pki/pem.h"

namespace magnetar::cli::cert {

Result<void, Problem> require(const Flags& flags, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names)
    if (flags[name].empty()) return misused("-" + std::string(name) + " is required");
  return {};
}

const std::string& either(const Flags& flags, std::string_view name, std::string_view old_name) {
  return flags[name].empty() ? flags[old_name] : flags[name];
}

Result<void, Problem> refuse_qr(const Flags& flags) {
  if (flags[kQrFlag.name].empty()) return {};
  return misused("-out-qr: QR codes are not made here; give the .crt file to qrencode -r");
}

Result<void, Problem> check_room(std::span<const FileFlag> outputs, const Surroundings& around) {
  for (const FileFlag& output : outputs)
    if (around.as_json && output.path == kStdio)
      return misused("--json and -" + std::string(output.flag) +
                     " - cannot both write to standard output");
  return check_outputs(outputs);
}

Result<std::vector<pki::Certificate>, Problem> read_certificates(const std::string& path) {
  const auto text = read_whole(path);
  if (!text) return fail(text.error());
  auto certificates = pki::certificates_from_pem(text->reveal());
  if (!certificates) return failed("'" + path + "': " + certificates.error().what);
  return *std::move(certificates);
}

Answer deliver(std::span<const NewFile> files, std::span<const pki::Certificate> certificates,
               const Surroundings& around) {
  auto written = write_new(files);
  if (!written || !around.as_json) return written;
  return SecretText(render_json(certificates));
}

}  // namespace magnetar::cli::cert
