// SPDX-License-Identifier: Apache-2.0
// The 16-byte Nebula header (protocol/wire.md section 1):
//
//    0        1        2        4              8                       16
//   | 1 | type | subtype | reserved | index (BE) | message counter (BE) |
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/base/bytes.h"
#include "dataplane/base/result.h"
#include "dataplane/base/strong.h"
#include "dataplane/wire/message_rules.h"

namespace magnetar::wire {

enum class WireError : std::uint8_t { kTooShort, kBadVersion, kBadType };

struct Header {
  static constexpr std::size_t kSize = 16;
  static constexpr std::uint8_t kVersion = 1;

  MessageType type = MessageType::kHandshake;
  std::uint8_t subtype = 0;
  std::uint32_t index =
      0;  // received: our LocalIndex (recv_error: the RemoteIndex); sent: the peer's
  Counter counter;

  friend constexpr bool operator==(const Header&, const Header&) = default;
};

inline constexpr std::size_t kTagSize = 16;  // of both AEADs, at the end of a packet

// Checks length, version, type and subtype. Any thread; never allocates.
[[nodiscard]] Result<Header, WireError> parse_header(ByteView packet);

void write_header(std::span<std::byte, Header::kSize> to, const Header& header);

}  // namespace magnetar::wire
