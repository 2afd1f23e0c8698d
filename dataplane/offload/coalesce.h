// SPDX-License-Identifier: Apache-2.0
// The other way: packets of a burst that one sender cut from one piece are put together again, so
// that the kernel takes them with one system call and walks its stack once. What Segmenter makes
// of the whole is what went in, byte for byte; what would not be is left alone (RFC 793, and the
// rules of the kernel's own tcp_gro_receive and udp_gro_receive, where they are no stricter).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/base/bytes.h"
#include "dataplane/offload/vnet_header.h"

namespace magnetar::offload {

// Packets that become one, or a single one that stays as it is. Numbers are those of the burst.
struct Bundle {
  std::uint8_t first = 0;
  std::uint8_t last = 0;
  std::uint8_t packets = 0;
  bool open = false;  // takes more
  bool v4 = true;
  bool tcp = true;
  bool verified = false;           // the first one's checksums
  std::uint8_t closing_flags = 0;  // FIN and PSH of the last
  std::uint16_t l4 = 0;            // where TCP or UDP begins
  std::uint16_t headers = 0;       // size of all
  std::uint16_t gso_size = 0;      // payload of each but the last
  std::uint32_t payload = 0;       // of all
};

struct CoalesceRules {
  bool tcp = true;
  bool udp = true;
};

class Coalescer {
 public:
  static constexpr std::size_t kMost = 64;  // packets of a burst
  static constexpr std::size_t kMostHeaders = 60 + 60;

  explicit Coalescer(CoalesceRules rules = {}) : rules_(rules) {}

  // Puts the packets of a burst, at most kMost, into bundles, in the order of each one's first
  // packet; packets of one flow keep their order. Returns them: good until the next burst.
  [[nodiscard]] std::span<const Bundle> collect(std::span<const ByteView> burst);
  // The packet after `packet` in its bundle, unless that is its last.
  [[nodiscard]] std::uint8_t next(std::uint8_t packet) const { return next_[packet]; }

  // Of a bundle of several: the headers that stand for all, bundle.headers bytes at `to`, which has
  // room for kMostHeaders; the payloads follow them, each packet's from bundle.headers on.
  static VnetHeader write_headers(const Bundle& bundle, ByteView first, std::byte* to);

 private:
  struct Packet;
  [[nodiscard]] std::uint8_t& slot_of(const Packet& packet);
  void place(const Packet& packet);
  [[nodiscard]] bool join(Bundle& bundle, const Packet& packet);
  void begin(const Packet& packet, bool open);
  void begin_alone(std::uint8_t number);

  static constexpr std::size_t kSlots = 128;  // twice a burst: few flows meet in one
  static constexpr std::uint32_t kProbes = 4;
  static constexpr std::uint8_t kNone = 0xff;

  CoalesceRules rules_;
  std::span<const ByteView> burst_;
  std::array<Bundle, kMost> bundles_;
  std::size_t count_ = 0;
  std::array<std::uint8_t, kMost> next_;
  std::array<std::uint8_t, kSlots> newest_;  // of a flow's bundles, by hash
};

}  // namespace magnetar::offload
