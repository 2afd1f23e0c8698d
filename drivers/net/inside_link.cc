// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/inside_link.h"

#include <netlink/route/link.h>
#include <netlink/route/link/inet6.h>
#include <rte_mbuf.h>

#include "drivers/net/netlink.h"
#include "drivers/net/rtnl.h"

namespace magnetar {
namespace {

using Link = std::unique_ptr<rtnl_link, NlFree<rtnl_link_put>>;

// Keeps the kernel from giving the device an IPv6 link-local address and talking on it (router
// solicitations, multicast listener reports): nobody in the overlay could answer. Best effort.
void silence_ipv6(int link_index) {
  constexpr std::uint8_t kNone = 1;  // IN6_ADDR_GEN_MODE_NONE
  const NlSocket socket = open_rtnl();
  const Link which(rtnl_link_alloc());
  const Link change(rtnl_link_alloc());
  if (!socket || !which || !change) return;
  rtnl_link_set_ifindex(which.get(), link_index);
  if (rtnl_link_inet6_set_addr_gen_mode(change.get(), kNone) == 0)
    rtnl_link_change(socket.get(), which.get(), change.get(), 0);
}

}  // namespace

Result<void, DeviceError> set_up_inside_link(int link_index, const InsideOptions& options) {
  silence_ipv6(link_index);
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
