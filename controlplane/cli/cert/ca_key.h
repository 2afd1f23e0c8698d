// SPDX-License-Identifier: Apache-2.0
// A CA as its two files hold it.
#pragma once

#include <string>

#include "controlplane/cli/cert/commands.h"
#include "controlplane/crypto/signature.h"
#include "controlplane/pki/certificate.h"

namespace magnetar::cli::cert {

struct Authority {
  pki::Certificate certificate;
  crypto::SigningKey key;
};

// The certificate of the file that belongs to the key, if it has not expired. Asks for the
// passphrase of an encrypted key.
[[nodiscard]] Result<Authority, Problem> read_authority(const std::string& crt_path,
                                                        const std::string& key_path,
                                                        const Surroundings& around);

}  // namespace magnetar::cli::cert
