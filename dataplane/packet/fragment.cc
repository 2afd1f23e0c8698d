// SPDX-License-Identifier: Apache-2.0
#define ALLOW_EXPERIMENTAL_API  // fragments in one segment each are new in DPDK 22.11
#include "dataplane/packet/fragment.h"

#include <rte_ip_frag.h>
#include <rte_mbuf.h>

#include "dataplane/offload/checksum.h"
#include "dataplane/offload/headers.h"
#include "dataplane/packet/meta.h"

namespace magnetar {

namespace ipv4 = offload::ipv4;

std::span<rte_mbuf*> fragment_ipv4(rte_mbuf& packet, std::uint16_t mtu, FragmentRoom& room) {
  const std::size_t header = (byte_at(data_of(packet), 0) & 0xfU) * std::size_t{4};
  if (fragments_of(packet.data_len, header, mtu) > room.size()) return {};
  const std::int32_t count = rte_ipv4_fragment_copy_nonseg_packet(
      &packet, room.data(), static_cast<std::uint16_t>(room.size()), mtu, packet.pool);
  if (count <= 0) return {};
  const std::span<rte_mbuf*> parts(room.data(), static_cast<std::size_t>(count));
  for (rte_mbuf* part : parts) {
    part->ol_flags = 0;  // the library leaves the sum to a NIC
    std::byte* const start = data_of(*part);
    offload::store_raw(start + ipv4::kChecksum, 0);
    offload::store_raw(
        start + ipv4::kChecksum,
        static_cast<std::uint16_t>(~offload::fold(offload::sum_of({start, header}))));
  }
  return parts;
}

}  // namespace magnetar
