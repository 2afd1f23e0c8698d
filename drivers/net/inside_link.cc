// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/inside_link.h"

#include <rte_mbuf.h>

#include "drivers/net/netlink.h"

namespace magnetar {
Result<void, DeviceError> set_up_inside_link(int link_index, const InsideOptions& options) {
  // Nobody in the overlay could answer it. A kernel without IPv6 refuses, and is silent anyway.
  static_cast<void>(keep_ipv6_silent(link_index));
  if (auto done = set_link(link_index, options.mtu, true); !done) return done;
  for (const Prefix& address : options.addresses) {
    if (auto done = add_address(link_index, address); !done) return done;
  }
  return {};
}

Result<void, DeviceError> check_buffers(const InsideOptions& options, rte_mempool* pool,
                                        unsigned overhead) {
  if (rte_pktmbuf_data_room_size(pool) >= RTE_PKTMBUF_HEADROOM + overhead + options.mtu) return {};
  return fail(DeviceError{options.name + ": packets of mtu " + std::to_string(options.mtu) +
                          " do not fit the packet buffers"});
}

}  // namespace magnetar
