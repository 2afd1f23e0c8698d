// SPDX-License-Identifier: Apache-2.0
// A header that parses is written back as it was, but for the reserved bytes.
#include <algorithm>

#include "dataplane/base/check.h"
#include "dataplane/wire/header.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using magnetar::wire::Header;
  const auto packet = std::as_bytes(std::span(data, size));
  const auto header = magnetar::wire::parse_header(packet);
  if (!header) return 0;
  std::array<std::byte, Header::kSize> written;
  magnetar::wire::write_header(written, *header);
  std::copy_n(packet.begin() + 2, 2, written.begin() + 2);
  MAGNETAR_CHECK(std::ranges::equal(written, packet.first<Header::kSize>()));
  return 0;
}
