// SPDX-License-Identifier: Apache-2.0
// The vnet header of a hostile kernel, and bursts of hostile packets: nothing is read or written
// outside of the packet, and what is put together comes apart into the same bytes.
#include <cstddef>
#include <cstdint>

#include "dataplane/base/check.h"
#include "tests/support/offload.h"

namespace magnetar {
namespace {

using offload::VnetHeader;

constexpr std::size_t kRoom = 1300;

void cut(const VnetHeader& header, const Bytes& packet) {
  Bytes finished = packet;
  MAGNETAR_CHECK(offload::complete_checksum(header, finished) || finished == packet);

  offload::Segmenter segmenter;
  if (!segmenter.start(header, packet, kRoom)) {
    MAGNETAR_CHECK(segmenter.done());
    return;
  }
  std::vector<Bytes> segments;
  while (!segmenter.done() && segments.size() < offload::Coalescer::kMost) {
    Bytes segment(kRoom);  // a heap block of its own: a byte too many is found
    segment.resize(segmenter.next(segment.data()));
    segments.push_back(std::move(segment));
  }
  MAGNETAR_CHECK(testing::broken_law(segments).empty());
}

// A vnet header and the packet behind it, as read() gives them; and as a device that tells of the
// header no more than the size of a payload.
void cut(ByteView bytes) {
  if (bytes.size() < VnetHeader::kSize) return;
  const VnetHeader header = offload::read_vnet_header(bytes.first<VnetHeader::kSize>());
  const Bytes packet = to_vector(bytes.subspan(VnetHeader::kSize));
  cut(header, packet);
  if (const auto found = offload::describe_unfinished(packet, header.gso_size)) cut(*found, packet);
}

// Packets, each behind two bytes: its length, and what is mended of it, so that more than one in
// 65,536 has a good checksum.
void collect(ByteView bytes) {
  std::vector<Bytes> burst;
  while (bytes.size() >= 2 && burst.size() < offload::Coalescer::kMost) {
    const auto mend = std::to_integer<unsigned>(bytes[0]);
    const std::size_t length =
        std::min(bytes.size() - 2, std::to_integer<std::size_t>(bytes[1]) + (mend & 1U) * 256);
    Bytes packet = to_vector(bytes.subspan(2, length));
    if ((mend & 2U) == 0) testing::finish(packet);
    burst.push_back(std::move(packet));
    bytes = bytes.subspan(2 + length);
  }
  MAGNETAR_CHECK(testing::broken_law(burst).empty());
  MAGNETAR_CHECK(testing::broken_law(burst, {.tcp = true, .udp = false}).empty());
}

}  // namespace
}  // namespace magnetar

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const magnetar::ByteView bytes = std::as_bytes(std::span(data + 1, size - 1));
  if (data[0] % 2 == 0)
    magnetar::cut(bytes);
  else
    magnetar::collect(bytes);
  return 0;
}
