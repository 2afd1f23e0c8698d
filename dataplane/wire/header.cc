// SPDX-License-Identifier: Apache-2.0
#include "dataplane/wire/header.h"

namespace magnetar::wire {

void write_header(std::span<std::byte, Header::kSize> to, const Header& header) {
  const auto type = static_cast<unsigned>(header.type);
  to[0] = static_cast<std::byte>((unsigned{Header::kVersion} << 4U) | type);
  to[1] = std::byte{header.subtype};
  store_be<std::uint16_t>(to.subspan<2, 2>(), 0);
  store_be<std::uint32_t>(to.subspan<4, 4>(), header.index);
  store_be<std::uint64_t>(to.subspan<8, 8>(), header.counter.raw());
}

}  // namespace magnetar::wire
