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

[[nodiscard]] constexpr std::uint8_t first_byte(MessageType type) {
  return static_cast<std::uint8_t>((Header::kVersion << 4U) | static_cast<unsigned>(type));
}

inline constexpr std::size_t kTagSize = 16;  // of both AEADs, at the end of a packet
inline constexpr std::size_t kOverhead = Header::kSize + kTagSize;  // of a packet, sealed

// Checks length, version, type and subtype. Any thread; never allocates.
[[nodiscard]] inline Result<Header, WireError> parse_header(ByteView packet) {
  if (packet.size() < Header::kSize) return fail(WireError::kTooShort);
  const auto fixed = packet.first<Header::kSize>();  // from here the length is part of the type
  const auto first = std::to_integer<std::uint8_t>(fixed[0]);
  const auto subtype = std::to_integer<std::uint8_t>(fixed[1]);
  if (first >> 4U != Header::kVersion) return fail(WireError::kBadVersion);
  const std::uint8_t type = first & 0xfU;
  if (type >= kMessageRules.size()) return fail(WireError::kBadType);
  if (subtype >= kMessageRules[type].subtypes) return fail(WireError::kBadType);
  return Header{.type = MessageType{type},
                .subtype = subtype,
                .index = load_be<std::uint32_t>(fixed.subspan<4, 4>()),
                .counter = Counter{load_be<std::uint64_t>(fixed.subspan<8, 8>())}};
}

void write_header(std::span<std::byte, Header::kSize> to, const Header& header);

}  // namespace magnetar::wire
