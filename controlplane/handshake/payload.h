// SPDX-License-Identifier: Apache-2.0
// The protobuf inside the Noise messages (protocol/wire.md 3.2).
#pragma once

#include <cstdint>
#include <string_view>

#include "dataplane/base/bytes.h"
#include "dataplane/base/result.h"

namespace magnetar::handshake {

struct Payload {
  Bytes certificate;  // handshake form, without its public key
  std::uint32_t initiator_index = 0;
  std::uint32_t responder_index = 0;
  std::uint64_t time_ns = 0;  // sender's wall clock, Unix time in nanoseconds
  // 0: not written, as 1.6.1 does and as we do for version 1; means 1.
  std::uint32_t certificate_version = 0;

  friend bool operator==(const Payload&, const Payload&) = default;
};

enum class PayloadError : std::uint8_t { kMalformed, kNoCertificate };

// Strict about known fields (wire type, range), skips unknown ones; repeated fields: the last wins.
[[nodiscard]] Result<Payload, PayloadError> parse_payload(ByteView protobuf);
[[nodiscard]] Bytes write_payload(const Payload& payload);

}  // namespace magnetar::handshake
