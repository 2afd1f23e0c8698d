// SPDX-License-Identifier: Apache-2.0
// One tunnel as the workers see it. Immutable once published, but for SessionHot.
#pragma once

#include <cstdint>
#include <memory>

#include "dataplane/base/huge_memory.h"
#include "dataplane/base/prefix_set.h"
#include "dataplane/base/strong.h"
#include "dataplane/crypto/aead.h"
#include "dataplane/crypto/nonce.h"
#include "dataplane/tables/session_hot.h"
#include "dataplane/wire/header.h"

namespace magnetar {

struct Session : InSlab<Session> {
  alignas(64) AeadKey seal_key;
  LocalIndex local;
  RemoteIndex remote_index;
  SessionHot* hot = nullptr;  // = owned_hot
  alignas(64) AeadKey open_key;
  // Inner source addresses that the peer's certificate vouches for (protocol/firewall.md 3.1): its
  // own addresses as hosts, and the networks behind it. The first is in the key's last line.
  PrefixSet sources;
  std::shared_ptr<SessionHot> owned_hot;
};

}  // namespace magnetar
