// SPDX-License-Identifier: Apache-2.0
// What `magnetar cert` can do. Each command gives the text for standard output, and has written its
// files by then or none of them.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/cli/cert/files.h"
#include "controlplane/cli/cert/flags.h"
#include "controlplane/cli/cert/problem.h"
#include "controlplane/cli/cert/secret_text.h"
#include "controlplane/pki/certificate.h"
#include "dataplane/base/random.h"
#include "dataplane/base/result.h"
#include "dataplane/base/time.h"

namespace magnetar::cli::cert {

struct Surroundings {
  WallTime now;
  RandomSource& random;
  std::function<Result<SecretText, Problem>()> passphrase;  // of the CA's key
  bool as_json = false;
};

using Answer = Result<SecretText, Problem>;

// A new CA: its certificate, which vouches for itself, and its key, encrypted or not.
[[nodiscard]] std::span<const FlagRule> ca_flags();
[[nodiscard]] Answer ca(const Flags& flags, const Surroundings& around);

// A host's certificate under a CA, for a new key or for one that exists.
[[nodiscard]] std::span<const FlagRule> sign_flags();
[[nodiscard]] Answer sign(const Flags& flags, const Surroundings& around);

// A host's key, private and public, for `sign` to take the latter.
[[nodiscard]] std::span<const FlagRule> keygen_flags();
[[nodiscard]] Answer keygen(const Flags& flags, const Surroundings& around);

[[nodiscard]] std::span<const FlagRule> print_flags();
[[nodiscard]] Answer print(const Flags& flags, const Surroundings& around);

// Whether certificates are good now, under the CAs of a file.
[[nodiscard]] std::span<const FlagRule> verify_flags();
[[nodiscard]] Answer verify(const Flags& flags, const Surroundings& around);

// What the commands share.

[[nodiscard]] Result<void, Problem> require(const Flags& flags,
                                            std::initializer_list<std::string_view> names);
// The value of `name`, or if that is empty of `old_name`, by which nebula-cert knew it before.
[[nodiscard]] const std::string& either(const Flags& flags, std::string_view name,
                                        std::string_view old_name);
[[nodiscard]] Result<void, Problem> refuse_qr(const Flags& flags);
// Files that do not exist, and at most one document for standard output.
[[nodiscard]] Result<void, Problem> check_room(std::span<const FileFlag> outputs,
                                               const Surroundings& around);
[[nodiscard]] Result<std::vector<pki::Certificate>, Problem> read_certificates(
    const std::string& path);
// Writes the files; with --json shows `certificates` as well.
[[nodiscard]] Answer deliver(std::span<const NewFile> files,
                             std::span<const pki::Certificate> certificates,
                             const Surroundings& around);

inline constexpr FlagRule kJsonFlag{"json", "", "false",
                                    "one JSON document on standard output and nothing else"};
inline constexpr FlagRule kQrFlag{"out-qr", "FILE", "",
                                  "not made here: give the .crt file to qrencode -r"};

}  // namespace magnetar::cli::cert
