// SPDX-License-Identifier: Apache-2.0
// The packets of a bench: a ring of mbufs in slices, made ready outside the timed part.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "tests/bench/bare_cipher.h"
#include "tests/bench/gateway.h"

struct rte_mbuf;

namespace magnetar::bench {

// What a received packet is to run into. kReplayed: what make_sealed() made before has been
// received.
enum class Flaw : std::uint8_t { kNone, kBadTag, kReplayed, kUnknownIndex };

class Traffic {
 public:
  static constexpr std::size_t kSlice = 256;  // packets at most

  // `sizes`: of the inner packets, in turn. `beyond_cache`: the ring is larger than the L3 cache,
  // else it fits a quarter of the L2 cache and has one slice. `lane`: of the gateway, whose cipher
  // seals for the peers, so that each thread may have a Traffic of its own. `inner_v6`: of a
  // gateway with both families.
  Traffic(Gateway& gateway, std::span<const std::uint32_t> sizes, bool beyond_cache,
          std::size_t lane = 0, bool inner_v6 = false);
  ~Traffic();
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

  [[nodiscard]] std::size_t slices() const { return mbufs_.size() / slice_; }
  [[nodiscard]] std::size_t packets() const { return slice_; }  // in a slice
  // Inner packets, as the inside port would bring them, to peers at random.
  void make_plain(std::size_t slice);
  // Frames of peers at random, as the outside port would bring them.
  void make_sealed(std::size_t slice, Flaw flaw);
  [[nodiscard]] std::span<rte_mbuf* const> mbufs(std::size_t slice) const;
  // After a run that dropped or punted the slice: new mbufs in the place of those that are gone.
  void replace(std::size_t slice);
  // The same packets for the bare cipher.
  [[nodiscard]] std::span<const Buffer> buffers(std::size_t slice, Direction direction);

 private:
  struct Packet {
    std::uint32_t peer = 0;
    std::uint32_t size = 0;
  };
  void pick_peer(std::size_t packet);
  // The first bytes of an inner packet to or from a peer.
  void write_inner(std::byte* at, std::size_t packet, bool from_peer) const;
  std::byte* start(std::size_t packet, std::size_t offset, std::size_t size);

  Gateway& gateway_;
  std::size_t lane_;
  bool inner_v6_;
  testing::Pool pool_;
  std::size_t slice_ = 0;
  std::vector<rte_mbuf*> mbufs_;
  std::vector<Packet> packets_;
  std::vector<Buffer> buffers_;
  wire::OuterTemplate outer_;
  std::minstd_rand random_;
};

}  // namespace magnetar::bench
