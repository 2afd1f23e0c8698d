// SPDX-License-Identifier: Apache-2.0
// Files of keys and certificates. "-" is standard input or output. Nothing here replaces a file.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/cli/cert/problem.h"
#include "controlplane/cli/cert/secret_text.h"
#include "dataplane/base/result.h"

namespace magnetar::cli::cert {

inline constexpr std::string_view kStdio = "-";

// At most 1 MiB: more is no file of certificates or keys. Any of them may be secret.
[[nodiscard]] Result<SecretText, Problem> read_whole(const std::string& path);

// A flag that names a file.
struct FileFlag {
  std::string_view flag;
  const std::string& path;
};
// Refuses two flags that both want standard input.
[[nodiscard]] Result<void, Problem> check_inputs(std::span<const FileFlag> inputs);
// Refuses two flags that name one file, and files that exist already.
[[nodiscard]] Result<void, Problem> check_outputs(std::span<const FileFlag> outputs);

struct NewFile {
  const std::string& path;
  SecretText content;
};
// Writes all of the files or none: each under a temporary name beside its own, mode 0600, synced to
// disk, and then given its name, unless something has that name by then. Gives what is for
// standard output.
[[nodiscard]] Result<SecretText, Problem> write_new(std::span<const NewFile> files);

}  // namespace magnetar::cli::cert
