// SPDX-License-Identifier: Apache-2.0
// Private keys of CAs under a passphrase, as nebula-cert writes and reads them: Argon2id makes the
// key of an AES-256-GCM of the passphrase (protocol/wire.md section 6).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "controlplane/cli/cert/problem.h"
#include "controlplane/crypto/signature.h"
#include "dataplane/base/random.h"
#include "dataplane/base/result.h"

namespace magnetar::cli::cert {

// What guessing a passphrase costs. The defaults are nebula-cert's.
struct Argon2 {
  std::uint32_t memory_kib = 2U << 20U;
  std::uint32_t iterations = 1;
  std::uint32_t parallelism = 4;
};
inline constexpr std::uint32_t kMostParallelism = 255;

// PEM. Takes as long and as much memory as `cost` says.
[[nodiscard]] Result<std::string, Problem> encrypt(const crypto::SigningKey& key,
                                                   std::string_view passphrase, const Argon2& cost,
                                                   RandomSource& random);

// Whether `pem` holds such a key.
[[nodiscard]] bool is_encrypted(std::string_view pem);
// The first one in `pem`. A wrong passphrase and a damaged key cannot be told apart. Refuses what
// this machine has not the memory for, before taking it.
[[nodiscard]] Result<crypto::SigningKey, Problem> decrypt(std::string_view pem,
                                                          std::string_view passphrase);

}  // namespace magnetar::cli::cert
