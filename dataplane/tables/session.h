// SPDX-License-Identifier: Apache-2.0
// One tunnel as the workers see it. Immutable once published, but for SessionHot.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "dataplane/base/addr.h"
#include "dataplane/base/strong.h"
#include "dataplane/crypto/aead.h"
#include "dataplane/crypto/nonce.h"
#include "dataplane/tables/session_hot.h"
#include "dataplane/wire/header.h"

namespace magnetar {

// Inner source addresses that the peer's certificate vouches for (protocol/firewall.md 3.1): its
// own addresses as hosts, and the networks behind it.
class PeerSources {
 public:
  PeerSources() = default;
  PeerSources(const std::vector<VpnAddr>& addrs, const std::vector<Prefix>& unsafe_networks);
  [[nodiscard]] bool allows(const std::byte* source, bool v4) const {
    if (v4 && only_v4_) {
      return load_be<std::uint32_t>(std::span<const std::byte, 4>(source, 4)) == *only_v4_;
    }
    return allows_slowly(source, v4);
  }

 private:
  [[nodiscard]] bool allows_slowly(const std::byte* source, bool v4) const;
  std::optional<std::uint32_t> only_v4_;  // the common peer: one IPv4 address, nothing behind it
  std::vector<Prefix> prefixes_;
};

struct Session {
  // Read for every packet: one line beside the key schedules.
  LocalIndex local;
  RemoteIndex remote_index;
  std::uint64_t data_header = 0;  // header_prefix of a data packet to this peer
  SessionHot* hot = nullptr;      // = owned_hot
  PeerSources sources;
  AeadKey seal_key;
  AeadKey open_key;
  std::shared_ptr<SessionHot> owned_hot;
};

}  // namespace magnetar
