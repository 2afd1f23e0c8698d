// SPDX-License-Identifier: Apache-2.0
// From what the kernel gives on a device with offloads to packets as they travel: one that holds
// many is cut into them, one whose checksum is unfinished gets it. Bytes only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "dataplane/base/bytes.h"
#include "dataplane/offload/checksum.h"
#include "dataplane/offload/vnet_header.h"

namespace magnetar::offload {

// Finishes the checksum of a packet that is not many, where `header` says so. False: its places
// are not within the packet, which is unchanged then.
[[nodiscard]] bool complete_checksum(const VnetHeader& header, MutableBytes packet);

// The header of a TCP or UDP packet whose checksum is unfinished, for a device that does not tell
// where that is. `gso_size` not 0: TCP, and many of this payload in one. None: it is neither.
[[nodiscard]] std::optional<VnetHeader> describe_unfinished(ByteView packet,
                                                            std::uint16_t gso_size = 0);

// Cuts one packet that is many, as the kernel itself would have done: the headers of the first on
// each; lengths, IPv4 identification, sequence number and checksums its own; FIN and PSH on the
// last only, CWR on the first only.
//
//   +-----------+-----------------------------+          +----+----------+ +----+----------+
//   +----+--+ | IP, L4    | payload                     |    >     | hd | gso_size | | hd |
//   gso_size | | hd |  |
//   +-----------+-----------------------------+          +----+----------+ +----+----------+
//   +----+--+
class Segmenter {
 public:
  static constexpr std::size_t kMostHeaders = 192;  // IPv6 with extension headers among them

  // Checks all that `header` says against `packet`, an IP packet that must stay until done(). None
  // of its segments is longer than `room`. False: it does not fit together; done() then.
  [[nodiscard]] bool start(const VnetHeader& header, ByteView packet, std::size_t room);
  [[nodiscard]] bool done() const { return payload_.empty(); }
  // How many there are still to come.
  [[nodiscard]] std::size_t left() const { return (payload_.size() + gso_size_ - 1) / gso_size_; }
  // Unless done: writes the next one, at most `room` bytes; returns its length.
  std::size_t next(std::byte* to);
  void stop() { payload_ = {}; }

 private:
  void prepare();
  void write_ip(std::byte* to, std::size_t l4_size);
  void write_tcp(std::byte* to, Sum payload, std::size_t payload_size);
  void write_udp(std::byte* to, Sum payload, std::size_t payload_size) const;

  std::array<std::byte, kMostHeaders> headers_;
  ByteView payload_;          // not yet cut
  std::size_t gso_size_ = 1;  // payload of a segment
  std::size_t l4_ = 0;        // where TCP or UDP begins
  std::size_t size_ = 0;      // of all headers
  bool v4_ = true;
  bool tcp_ = true;
  bool first_ = true;
  std::uint16_t ipv4_id_ = 0;   // of the next
  std::uint32_t sequence_ = 0;  // of the next
  Sum ip_sum_ = 0;              // of the IPv4 header's fields that all have in common
  Sum l4_sum_ = 0;              // of pseudo header and L4 header, likewise
};

}  // namespace magnetar::offload
