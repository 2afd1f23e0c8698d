// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/interface.h"

#include <algorithm>
#include <cstring>

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "drivers/net/os_error.h"

namespace magnetar {
namespace {

// A device that cannot tell has one.
unsigned channels(int fd, ifreq request) {
  ethtool_channels wanted{};
  wanted.cmd = ETHTOOL_GCHANNELS;
  request.ifr_data = reinterpret_cast<char*>(&wanted);  // NOLINT: the ioctl's own interface
  if (ioctl(fd, SIOCETHTOOL, &request) != 0) return 1;
  return std::max(1U, wanted.combined_count + wanted.rx_count);
}

// One that cannot tell is not complained of.
bool has_offload(int fd, ifreq request, std::uint32_t command) {
  ethtool_value value{.cmd = command, .data = 0};
  request.ifr_data = reinterpret_cast<char*>(&value);  // NOLINT: the ioctl's own interface
  return ioctl(fd, SIOCETHTOOL, &request) != 0 || value.data != 0;
}

}  // namespace

Result<InterfaceFacts, DeviceError> interface_facts(const std::string& name) {
  ifreq request{};
  if (name.empty() || name.size() >= sizeof(request.ifr_name))
    return fail(DeviceError{"\"" + name + "\" is no interface name: ip -br link lists them"});
  std::memcpy(request.ifr_name, name.c_str(), name.size() + 1);

  const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail(os_error("cannot open a socket", errno));
  InterfaceFacts facts;
  facts.name = name;
  facts.index = if_nametoindex(name.c_str());
  if (facts.index == 0)
    return fail(
        DeviceError{"there is no interface " + name + ": ip -br link lists those there are"});
  if (ioctl(fd.get(), SIOCGIFHWADDR, &request) != 0)
    return fail(os_error("cannot read the address of " + name, errno));
  if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
    return fail(DeviceError{name + " is not an Ethernet interface"});
  std::memcpy(facts.mac.data(), request.ifr_hwaddr.sa_data, facts.mac.size());
  if (ioctl(fd.get(), SIOCGIFFLAGS, &request) != 0)
    return fail(os_error("cannot read the state of " + name, errno));
  facts.up = (request.ifr_flags & IFF_UP) != 0;
  facts.receive_queues = channels(fd.get(), request);
  facts.segments = has_offload(fd.get(), request, ETHTOOL_GTXCSUM) &&
                   has_offload(fd.get(), request, ETHTOOL_GGSO);
  return facts;
}

}  // namespace magnetar
