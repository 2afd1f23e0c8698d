// SPDX-License-Identifier: Apache-2.0
// Hostile TCP headers: nothing is read or written outside of the packet, the checksum stays as
// right as it was, and what was lowered once fits.
#include <cstddef>
#include <cstdint>

#include "dataplane/base/check.h"
#include "dataplane/wire/mss.h"
#include "tests/support/offload.h"

// The path's MTU in two bytes, then the packet.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace magnetar;
  if (size < 2) return 0;
  const ByteView bytes = std::as_bytes(std::span(data, size));
  const std::size_t mtu = load_be_at<std::uint16_t>(bytes.data());
  Bytes before = to_vector(bytes.subspan(2));
  testing::finish(before);
  const bool was_right = testing::checksums_right(before);
  Bytes packet = before;
  const bool changed = wire::clamp_mss(packet, mtu);
  MAGNETAR_CHECK(changed == (packet != before));
  MAGNETAR_CHECK(!was_right || testing::checksums_right(packet));
  MAGNETAR_CHECK(!wire::clamp_mss(packet, mtu));
  return 0;
}
