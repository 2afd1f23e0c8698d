// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/vhost_queue.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <linux/if_ether.h>

#include "dataplane/offload/coalesce.h"
#include "dataplane/offload/segment.h"
#include "dataplane/packet/meta.h"
#include "dataplane/wire/inner_packet.h"
#include "drivers/net/mbuf_store.h"
#include "drivers/net/outside_device.h"

namespace magnetar {
namespace {

using offload::Bundle;
using offload::Coalescer;
using offload::VnetHeader;

constexpr std::uint64_t kManyInOne =
    RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6;
constexpr std::size_t kLongest = 65535;
using EthernetHeader = std::array<std::byte, kEthernetHeader>;

EthernetHeader ethernet_header(const MacAddr& to, std::uint16_t type) {
  EthernetHeader header;
  std::ranges::copy(to, header.begin());
  std::ranges::copy(kVhostSource, header.begin() + ETH_ALEN);
  store_be_at(&header[2 * ETH_ALEN], type);
  return header;
}

class VhostQueue final : public PortQueue {
 public:
  VhostQueue(std::unique_ptr<PortQueue> frames, rte_mempool* pool, const VhostQueueOptions& options,
             WorkerStats& stats)
      : frames_(std::move(frames)),
        store_(pool),
        room_(rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM - kPortTailroom),
        send_many_(options.send_many),
        coalescer_({.tcp = options.send_many, .udp = false}),
        header_v4_(ethernet_header(options.interface, ETH_P_IP)),
        header_v6_(ethernet_header(options.interface, ETH_P_IPV6)),
        stats_(stats) {}
  ~VhostQueue() override {
    rte_pktmbuf_free_bulk(waiting_.data() + next_, static_cast<unsigned>(count_ - next_));
  }
  VhostQueue(const VhostQueue&) = delete;
  VhostQueue& operator=(const VhostQueue&) = delete;

  std::uint16_t receive(std::span<rte_mbuf*> into) override {
    std::uint16_t count = 0;
    bool asked = false;
    while (count < into.size()) {
      if (!segmenter_.done()) {
        rte_mbuf* packet = store_.peek();
        if (packet == nullptr) break;
        set_length(*packet, segmenter_.next(data_of(*packet)));
        store_.take();
        into[count++] = packet;
        continue;
      }
      if (next_ == count_) {
        if (asked) break;
        asked = true;
        const std::size_t most = std::min<std::size_t>(waiting_.size(), into.size() - count);
        next_ = 0;
        count_ = frames_->receive(std::span(waiting_).first(most));
        continue;
      }
      rte_mbuf* frame = waiting_[next_++];
      if (unwrap(*frame)) into[count++] = frame;
    }
    return count;
  }

  std::uint16_t transmit(std::span<rte_mbuf*> packets) override {
    const std::span<rte_mbuf*> burst =
        wrappable(packets.first(std::min(Coalescer::kMost, packets.size())));
    return send_many_ ? transmit_many(burst) : transmit_each(burst);
  }

  [[nodiscard]] std::optional<int> readable_fd() const override { return frames_->readable_fd(); }
  int arm() override { return frames_->arm(); }
  void disarm() override { frames_->disarm(); }

 private:
  // True: the frame is now a packet. Else it is with the segmenter, or gone and counted.
  bool unwrap(rte_mbuf& frame) {
    if (!is_ip(frame)) return refuse(frame, Verdict::kInsideMalformed);
    rte_pktmbuf_adj(&frame, kEthernetHeader);
    if ((frame.ol_flags & RTE_MBUF_F_RX_LRO) != 0) {
      if (!gather(frame)) return refuse(frame, Verdict::kBadOffload);
      rte_pktmbuf_free(&frame);
      return false;
    }
    // Longer than the MTU: somebody has raised it.
    if (frame.nb_segs != 1 || rte_pktmbuf_tailroom(&frame) < kPortTailroom)
      return refuse(frame, Verdict::kInsideMalformed);
    if ((frame.ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_NONE &&
        !finish(frame))
      return refuse(frame, Verdict::kBadOffload);
    return true;
  }

  static bool is_ip(rte_mbuf& frame) {
    if (frame.data_len <= kEthernetHeader) return false;
    const auto type = load_be_at<std::uint16_t>(data_of(frame) + 2 * ETH_ALEN);
    return type == ETH_P_IP || type == ETH_P_IPV6;
  }

  static bool finish(rte_mbuf& packet) {
    const auto header = offload::describe_unfinished(view_of(packet));
    return header && offload::complete_checksum(*header, {data_of(packet), packet.data_len});
  }

  // The whole of a chain, in one piece and with the segmenter.
  bool gather(const rte_mbuf& chain) {
    std::size_t size = 0;
    for (const rte_mbuf* part = &chain; part != nullptr; part = part->next) {
      if (part->data_len > kLongest + 1 - size) return false;
      std::memcpy(whole_.data() + size, rte_pktmbuf_mtod(part, const std::byte*), part->data_len);
      size += part->data_len;
    }
    const ByteView packet{whole_.data(), size};
    const auto header = offload::describe_unfinished(packet, chain.tso_segsz);
    return header && segmenter_.start(*header, packet, room_);
  }

  bool refuse(rte_mbuf& frame, Verdict why) {
    stats_.inside.rx_packets.add(1);
    stats_.inside.rx_bytes.add(frame.pkt_len);
    stats_.drops[static_cast<std::size_t>(why)].add(1);
    rte_pktmbuf_free(&frame);
    return false;
  }

  void wrap(rte_mbuf& packet) {
    const EthernetHeader& header = wire::says_ipv6(data_of(packet)) ? header_v6_ : header_v4_;
    std::memcpy(rte_pktmbuf_prepend(&packet, kEthernetHeader), header.data(), header.size());
  }

  // Those with room for an Ethernet header, in front. All have it but what nobody makes.
  static std::span<rte_mbuf*> wrappable(std::span<rte_mbuf*> burst) {
    std::array<rte_mbuf*, Coalescer::kMost> others;
    std::size_t kept = 0;
    std::size_t other_count = 0;
    for (rte_mbuf* packet : burst) {
      if (rte_pktmbuf_headroom(packet) >= kEthernetHeader)
        burst[kept++] = packet;
      else
        others[other_count++] = packet;
    }
    std::copy_n(others.begin(), other_count, burst.begin() + static_cast<std::ptrdiff_t>(kept));
    return burst.first(kept);
  }

  std::uint16_t transmit_each(std::span<rte_mbuf*> burst) {
    for (rte_mbuf* packet : burst) wrap(*packet);
    const std::uint16_t sent = frames_->transmit(burst);
    for (rte_mbuf* packet : burst.subspan(sent)) rte_pktmbuf_adj(packet, kEthernetHeader);
    return sent;
  }

  std::uint16_t transmit_many(std::span<rte_mbuf*> burst) {
    std::array<rte_mbuf*, Coalescer::kMost> frames;
    const std::size_t count = bundle_up(burst, frames);
    const std::uint16_t sent = frames_->transmit(std::span(frames).first(count));

    std::array<rte_mbuf*, Coalescer::kMost> others;
    std::size_t other_count = 0;
    for (std::size_t i = sent; i < count; ++i) {
      rte_pktmbuf_adj(frames[i], kEthernetHeader);
      if (frames[i]->next != nullptr) restore(*frames[i], heads_[i]);
      for (rte_mbuf* packet = frames[i]; packet != nullptr;) {
        others[other_count++] = packet;
        packet = separate(*packet);
      }
    }
    const std::size_t taken = burst.size() - other_count;
    std::copy_n(others.begin(), other_count, burst.begin() + static_cast<std::ptrdiff_t>(taken));
    return static_cast<std::uint16_t>(taken);
  }

  // As frames, a chain each where packets belong together. Returns how many.
  std::size_t bundle_up(std::span<rte_mbuf*> burst,
                        std::array<rte_mbuf*, Coalescer::kMost>& frames) {
    std::array<ByteView, Coalescer::kMost> views;
    for (std::size_t i = 0; i < burst.size(); ++i) views[i] = view_of(*burst[i]);
    std::size_t count = 0;
    for (const Bundle& bundle : coalescer_.collect({views.data(), burst.size()})) {
      const bool together = bundle.packets > 1 && join(bundle, burst, heads_[count]);
      std::uint8_t i = bundle.first;
      for (unsigned left = together ? 1 : bundle.packets; left > 0; --left) {
        wrap(*burst[i]);
        frames[count++] = burst[i];
        i = coalescer_.next(i);
      }
    }
    return count;
  }

  // The first packet of a chain as it was, should the chain not leave.
  struct Head {
    std::size_t size = 0;  // of its headers, and of those that the others left out
    std::array<std::byte, Coalescer::kMostHeaders> headers;
  };

  // A chain of the packets, under headers that stand for all. False: TSO has no words for it.
  bool join(const Bundle& bundle, std::span<rte_mbuf*> burst, Head& saved) {
    rte_mbuf& head = *burst[bundle.first];
    saved.size = bundle.headers;
    std::memcpy(saved.headers.data(), data_of(head), saved.size);
    const VnetHeader header =
        Coalescer::write_headers(bundle, {saved.headers.data(), saved.size}, data_of(head));
    if ((header.gso_type & VnetHeader::kGsoEcn) != 0) {
      std::memcpy(data_of(head), saved.headers.data(), saved.size);
      return false;
    }
    rte_mbuf* tail = &head;
    std::uint8_t i = bundle.first;
    for (unsigned left = bundle.packets; left > 1; --left) {
      i = coalescer_.next(i);
      rte_pktmbuf_adj(burst[i], bundle.headers);
      head.pkt_len += burst[i]->data_len;
      ++head.nb_segs;
      tail = tail->next = burst[i];
    }
    // The pseudo header's sum is in place, as virtio wants it: no rte_eth_tx_prepare().
    head.ol_flags |= RTE_MBUF_F_TX_TCP_SEG | (bundle.v4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6);
    head.tx_offload = rte_mbuf_tx_offload(kEthernetHeader, bundle.l4, bundle.headers - bundle.l4,
                                          bundle.gso_size, 0, 0, 0);
    return true;
  }

  // Headers back on all packets of a chain.
  static void restore(rte_mbuf& chain, const Head& saved) {
    std::memcpy(data_of(chain), saved.headers.data(), saved.size);
    chain.ol_flags &= ~kManyInOne;
    for (rte_mbuf* packet = chain.next; packet != nullptr; packet = packet->next) {
      packet->data_off = static_cast<std::uint16_t>(packet->data_off - saved.size);
      packet->data_len = static_cast<std::uint16_t>(packet->data_len + saved.size);
    }
  }

  // Out of its chain; returns the one after it.
  static rte_mbuf* separate(rte_mbuf& packet) {
    rte_mbuf* const next = packet.next;
    packet.next = nullptr;
    packet.nb_segs = 1;
    packet.pkt_len = packet.data_len;
    return next;
  }

  std::unique_ptr<PortQueue> frames_;
  MbufStore store_;
  std::size_t room_;  // for a packet in a buffer
  bool send_many_;
  Coalescer coalescer_;
  EthernetHeader header_v4_;
  EthernetHeader header_v6_;
  WorkerStats& stats_;
  std::array<rte_mbuf*, Coalescer::kMost> waiting_;  // frames from next_ to count_
  std::size_t next_ = 0;
  std::size_t count_ = 0;
  offload::Segmenter segmenter_;
  std::array<std::byte, kLongest + 1> whole_;  // what it cuts
  std::array<Head, Coalescer::kMost> heads_;   // of a chain that leaves as the frame of that number
};

}  // namespace

std::unique_ptr<PortQueue> make_vhost_queue(std::unique_ptr<PortQueue> frames, rte_mempool* pool,
                                            const VhostQueueOptions& options, WorkerStats& stats) {
  return std::make_unique<VhostQueue>(std::move(frames), pool, options, stats);
}

}  // namespace magnetar
