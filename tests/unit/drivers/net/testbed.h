// SPDX-License-Identifier: Apache-2.0
// A network of one namespace: "near" is the interface under test, "far" the other end of its cable,
// where a raw socket plays the neighbour frame by frame.
//
//   near 02:00:00:00:00:01  10.77.0.1/24  fd77::1/64  ====  far 02:00:00:00:00:02  (no addresses)
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "dataplane/base/addr.h"
#include "dataplane/base/bytes.h"
#include "dataplane/wire/outer_packet.h"
#include "drivers/net/os_error.h"

struct rte_mempool;

namespace magnetar::testbed {

inline constexpr std::uint16_t kPort = 4242;

// The whole process moves into a fresh namespace; false: not allowed to (not root).
bool enter_namespace();
// Runs a shell command; fails the test when it fails.
void run(const std::string& command);
// What a shell command prints.
std::string output(const std::string& command);
// The packet pool of this process; made when first asked for. The EAL must be up.
rte_mempool* pool();

IpAddr ip(const char* text);
Prefix prefix(const char* text);

// A cable between near and far with `queues` queues at each end; gone with this object.
class Cable {
 public:
  explicit Cable(unsigned queues = 1);
  ~Cable();
  Cable(const Cable&) = delete;
  Cable& operator=(const Cable&) = delete;

  void send(ByteView frame) const;
  // Waits (two seconds at most) for a frame out of near that `wanted` accepts.
  [[nodiscard]] std::optional<Bytes> expect(const std::function<bool(ByteView)>& wanted) const;
  // Answers near's ARP request for `ip`.
  [[nodiscard]] bool answer_arp(const IpAddr& ip) const;

  static constexpr MacAddr kNear = {std::byte{2}, {}, {}, {}, {}, std::byte{1}};
  static constexpr MacAddr kFar = {std::byte{2}, {}, {}, {}, {}, std::byte{2}};

 private:
  UniqueFd far_;
};

// An Ethernet frame with UDP from a port of far's to one of near's, IPv4 or IPv6 as the addresses
// say.
Bytes udp_frame(const IpAddr& source, const IpAddr& destination, std::uint16_t destination_port,
                std::string_view payload, std::uint16_t source_port = 5555);
// Where the datagram of a frame is; fails the test when it has none.
wire::OuterView outer(ByteView frame);
// Whether two frames carry the same bytes from and to the same places.
bool same_datagram(ByteView a, ByteView b);
Bytes arp_request(const IpAddr& from, const IpAddr& target);
bool is_arp_reply(ByteView frame);
bool contains(ByteView frame, std::string_view payload);
// Polls `attempt` until it is true, two seconds at most.
bool eventually(const std::function<bool()>& attempt);

}  // namespace magnetar::testbed
