// SPDX-License-Identifier: Apache-2.0
#include "dataplane/wire/header.h"

namespace magnetar::wire {

Result<Header, WireError> parse_header(ByteView packet) {
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

void write_header(std::span<std::byte, Header::kSize> to, const Header& header) {
  const auto type = static_cast<unsigned>(header.type);
  to[0] = static_cast<std::byte>((unsigned{Header::kVersion} << 4U) | type);
  to[1] = std::byte{header.subtype};
  store_be<std::uint16_t>(to.subspan<2, 2>(), 0);
  store_be<std::uint32_t>(to.subspan<4, 4>(), header.index);
  store_be<std::uint64_t>(to.subspan<8, 8>(), header.counter.raw());
}

}  // namespace magnetar::wire
