// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/traffic.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <numeric>
#include <string>
#include <utility>

#include <rte_mbuf.h>
#include <unistd.h>

#include "dataplane/base/check.h"
#include "dataplane/packet/pool.h"
#include "tests/support/inner_packets.h"

namespace magnetar::bench {
namespace {

constexpr std::size_t kOuter = 42;             // Ethernet, IPv4 and UDP before a Nebula packet
constexpr std::size_t kOverhead = 32;          // header and tag
constexpr std::size_t kTouched = 256;          // of an mbuf and headers, besides the text
constexpr std::size_t kL2Budget = 256 * 1024;  // keys and sessions pass through the L2 cache, too

std::size_t ring_size(std::size_t mean, bool beyond_cache) {
  if (!beyond_cache) {
    const std::size_t fits = std::min(Traffic::kSlice, kL2Budget / (mean + 2 * kTouched));
    return std::max(fits / kBurst, std::size_t{1}) * kBurst;  // a full load comes in full bursts
  }
  const long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
  const std::size_t enough = 2 * static_cast<std::size_t>(std::max(cache, 16L << 20U));
  return std::min<std::size_t>(enough / (mean + kTouched), 160'000);
}

}  // namespace

Traffic::Traffic(Gateway& gateway, std::span<const std::uint32_t> sizes, bool beyond_cache,
                 std::size_t lane, bool inner_v6)
    : gateway_(gateway),
      lane_(lane),
      inner_v6_(inner_v6),
      random_(1 + static_cast<unsigned>(lane)) {
  const std::size_t largest = std::ranges::max(sizes);
  const std::size_t mean = std::reduce(sizes.begin(), sizes.end()) / sizes.size();
  const std::size_t ring = ring_size(mean, beyond_cache);
  slice_ = std::min(kSlice, ring);
  mbufs_.resize(ring / slice_ * slice_);
  static std::atomic<unsigned> pools{0};
  const std::string name = "bench_" + std::to_string(pools++);
  pool_.reset(make_packed_packet_pool(
      {.name = name.c_str(),
       .mbufs = static_cast<unsigned>(mbufs_.size() + 64),  // a notice takes an mbuf, too
       .data_room =
           static_cast<std::uint16_t>(RTE_PKTMBUF_HEADROOM + largest + kOuter + kOverhead + 64)}));
  MAGNETAR_CHECK(pool_ != nullptr);
  MAGNETAR_CHECK(rte_pktmbuf_alloc_bulk(pool_.get(), mbufs_.data(),
                                        static_cast<unsigned>(mbufs_.size())) == 0);
  packets_.resize(mbufs_.size());
  buffers_.resize(slice_);
  for (std::size_t i = 0; i < packets_.size(); ++i) packets_[i].size = sizes[i % sizes.size()];
  if (sizes.size() > 1) std::ranges::shuffle(packets_, random_);
  outer_ = wire::OuterTemplate({.source = Gateway::underlay(0), .destination = Gateway::own()});
}

Traffic::~Traffic() {
  gateway_.drain_punted();
  rte_pktmbuf_free_bulk(mbufs_.data(), static_cast<unsigned>(mbufs_.size()));
}

std::span<rte_mbuf* const> Traffic::mbufs(std::size_t slice) const {
  return std::span(mbufs_).subspan(slice * slice_, slice_);
}

void Traffic::pick_peer(std::size_t packet) {
  packets_[packet].peer = static_cast<std::uint32_t>(random_() % gateway_.size());
}

std::byte* Traffic::start(std::size_t packet, std::size_t offset, std::size_t size) {
  rte_mbuf& mbuf = *mbufs_[packet];
  auto* data = static_cast<std::byte*>(mbuf.buf_addr) + RTE_PKTMBUF_HEADROOM + offset;
  set_data(mbuf, data, size);
  return data;
}

void Traffic::make_plain(std::size_t slice) {
  for (std::size_t i = slice * slice_; i < (slice + 1) * slice_; ++i) {
    pick_peer(i);
    // Only the header counts: the rest is whatever the last run left.
    write_inner(start(i, kOuter + wire::Header::kSize, packets_[i].size), i, false);
  }
}

void Traffic::write_inner(std::byte* at, std::size_t packet, bool from_peer) const {
  const auto [peer, size] = packets_[packet];
  IpAddr from = inner_v6_ ? Gateway::own_overlay6() : Gateway::own_overlay();
  IpAddr to = inner_v6_ ? Gateway::overlay6(peer) : Gateway::overlay(peer);
  if (from_peer) std::swap(from, to);
  std::ranges::copy(inner_v6_ ? testing::ipv6(from, to, 0) : testing::ipv4(from, to, 0), at);
  const std::size_t length = inner_v6_ ? size - 40 : size;
  store_be<std::uint16_t>(std::span<std::byte, 2>(at + (inner_v6_ ? 4 : 2), 2),
                          static_cast<std::uint16_t>(length));
}

void Traffic::make_sealed(std::size_t slice, Flaw flaw) {
  for (std::size_t i = slice * slice_; i < (slice + 1) * slice_; ++i) {
    pick_peer(i);
    const std::size_t peer = packets_[i].peer;
    const std::size_t size = packets_[i].size;
    std::byte* frame = start(i, 0, kOuter + kOverhead + size);
    std::byte* header = frame + kOuter;
    std::byte* text = header + wire::Header::kSize;
    outer_.write_before(header, kOverhead + size);
    std::ranges::copy(Gateway::underlay(peer).ip.network_bytes(), frame + 26);
    write_inner(text, i, true);
    LocalIndex index = gateway_.index(peer);
    while (flaw == Flaw::kUnknownIndex && gateway_.knows(index))
      index = LocalIndex{static_cast<std::uint32_t>(random_()) << 1U};
    const std::uint64_t counter =
        flaw == Flaw::kReplayed ? gateway_.last_counter(peer) : gateway_.next_counter(peer);
    store_block(header, make_header(header_prefix(0x11, 0, index.raw()), counter));
    AeadJob job{};
    store_block(&job.nonce, make_nonce(gateway_.cipher(), counter));
    job.text = text;
    job.length = static_cast<std::uint32_t>(size);
    gateway_.seal_as_peer(job, lane_);
    if (flaw == Flaw::kBadTag) job.tag()[15] ^= std::byte{1};
  }
}

void Traffic::replace(std::size_t slice) {
  gateway_.drain_punted();
  MAGNETAR_CHECK(rte_pktmbuf_alloc_bulk(pool_.get(), &mbufs_[slice * slice_],
                                        static_cast<unsigned>(slice_)) == 0);
}

std::span<const Buffer> Traffic::buffers(std::size_t slice, Direction direction) {
  for (std::size_t i = 0; i < slice_; ++i) {
    const std::size_t packet = slice * slice_ + i;
    const Session& session = gateway_.session(packets_[packet].peer);
    auto* data = static_cast<std::byte*>(mbufs_[packet]->buf_addr) + RTE_PKTMBUF_HEADROOM;
    buffers_[i] = {data + kOuter, packets_[packet].size,
                   direction == Direction::kSeal ? &session.seal_key : &session.open_key};
  }
  return buffers_;
}

}  // namespace magnetar::bench
