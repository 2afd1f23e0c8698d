// SPDX-License-Identifier: Apache-2.0
// What stands before each packet on a device with IFF_VNET_HDR: how far its checksum has got, and
// whether it is many packets in one (struct virtio_net_hdr of the virtio specification, 5.1.6).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace magnetar::offload {

struct VnetHeader {
  static constexpr std::size_t kSize = 10;

  static constexpr std::uint8_t kNeedsChecksum = 1;  // of flags

  static constexpr std::uint8_t kGsoNone = 0;  // of gso_type
  static constexpr std::uint8_t kGsoTcpV4 = 1;
  static constexpr std::uint8_t kGsoTcpV6 = 4;
  static constexpr std::uint8_t kGsoUdp = 5;     // datagrams of one size ("USO"), not fragments
  static constexpr std::uint8_t kGsoEcn = 0x80;  // on top of TCP: the first segment has CWR

  std::uint8_t flags = 0;
  std::uint8_t gso_type = kGsoNone;
  std::uint16_t header_size = 0;  // a hint only, and not to be believed
  std::uint16_t gso_size = 0;     // payload of each segment but the last
  std::uint16_t checksum_start = 0;
  std::uint16_t checksum_offset = 0;  // from there
};
static_assert(sizeof(VnetHeader) == VnetHeader::kSize);

// Numbers are in the machine's own byte order: what a TUN device does unless it is told otherwise.
[[nodiscard]] inline VnetHeader read_vnet_header(
    std::span<const std::byte, VnetHeader::kSize> from) {
  VnetHeader header;
  std::memcpy(&header, from.data(), VnetHeader::kSize);
  return header;
}

inline void write_vnet_header(std::byte* to, const VnetHeader& header) {
  std::memcpy(to, &header, VnetHeader::kSize);
}

}  // namespace magnetar::offload
