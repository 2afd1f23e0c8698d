// SPDX-License-Identifier: Apache-2.0
#include "dataplane/wire/inner_packet.h"

namespace magnetar::wire {
namespace {

std::size_t be16(const std::byte* at) {
  return load_be<std::uint16_t>(std::span<const std::byte, 2>(at, 2));
}

bool parse_v4(ByteView packet, InnerView& view) {
  if (packet.size() < 20) return false;
  const std::size_t header = (std::to_integer<std::size_t>(packet[0]) & 0xfU) * 4;
  const std::size_t total = be16(&packet[2]);
  if (header < 20 || total < header || total != packet.size()) return false;
  const std::size_t fragment_offset = (be16(&packet[6]) & 0x1fffU) * 8;
  if (fragment_offset + (total - header) + header > 0xffff) return false;
  view = {&packet[12], &packet[16], true};
  return true;
}

bool parse_v6(ByteView packet, InnerView& view) {
  if (packet.size() < 40 || be16(&packet[4]) + 40 != packet.size()) return false;
  view = {&packet[8], &packet[24], false};
  return true;
}

}  // namespace

bool parse_inner(ByteView packet, InnerView& view) {
  if (packet.empty()) return false;
  switch (std::to_integer<unsigned>(packet[0]) >> 4U) {
    case 4:
      return parse_v4(packet, view);
    case 6:
      return parse_v6(packet, view);
    default:
      return false;
  }
}

}  // namespace magnetar::wire
