// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstring>

#include <sys/uio.h>
#include <unistd.h>

#include "dataplane/offload/segment.h"
#include "dataplane/packet/meta.h"
#include "drivers/net/mbuf_store.h"
#include "drivers/net/tun_queue.h"

namespace magnetar {
namespace {

using offload::Bundle;
using offload::Coalescer;
using offload::VnetHeader;

constexpr std::size_t kLongest = 65535;  // that the kernel gives

class TunOffloadQueue final : public PortQueue {
 public:
  TunOffloadQueue(TunDescriptors fds, rte_mempool* pool, offload::CoalesceRules rules,
                  WorkerStats& stats)
      : fds_(fds), store_(pool), coalescer_(rules), stats_(stats) {}

  std::uint16_t receive(std::span<rte_mbuf*> into) override {
    if (!fds_.read) return 0;
    std::uint16_t count = 0;
    while (count < into.size()) {
      rte_mbuf* packet = store_.peek();
      if (packet == nullptr) break;
      if (segmenter_.done() && !read_into(*packet)) break;
      if (!segmenter_.done())
        set_length(*packet, segmenter_.next(data_of(*packet)));
      else if (packet->data_len == 0)
        continue;  // it was no good: the buffer takes the next one
      store_.take();
      into[count++] = packet;
    }
    return count;
  }

  std::uint16_t transmit(std::span<rte_mbuf*> packets) override {
    const std::span<rte_mbuf*> burst = packets.first(std::min(Coalescer::kMost, packets.size()));
    std::array<ByteView, Coalescer::kMost> views;
    for (std::size_t i = 0; i < burst.size(); ++i) views[i] = view_of(*burst[i]);
    std::array<rte_mbuf*, Coalescer::kMost> written;
    std::array<rte_mbuf*, Coalescer::kMost> others;
    std::size_t written_count = 0;
    std::size_t other_count = 0;
    for (const Bundle& bundle : coalescer_.collect({views.data(), burst.size()})) {
      const bool together = bundle.packets > 1 && write_whole(bundle, views);
      std::uint8_t i = bundle.first;
      for (std::uint8_t left = bundle.packets; left > 0; --left, i = coalescer_.next(i)) {
        if (together || write_one(*burst[i]))
          written[written_count++] = burst[i];
        else
          others[other_count++] = burst[i];
      }
    }
    rte_pktmbuf_free_bulk(written.data(), static_cast<unsigned>(written_count));
    std::copy_n(others.begin(), other_count,
                burst.begin() + static_cast<std::ptrdiff_t>(written_count));
    return static_cast<std::uint16_t>(written_count);
  }

  [[nodiscard]] std::optional<int> readable_fd() const override { return fds_.read; }

 private:
  // One system call. A packet that is not many is then in `packet`, an empty one if it was no good;
  // what is many is in `whole_`, and with the segmenter. False: there is nothing to read.
  bool read_into(rte_mbuf& packet) {
    std::array<std::byte, VnetHeader::kSize> head;
    const auto room = static_cast<std::size_t>(rte_pktmbuf_tailroom(&packet) - kTunTailroom);
    // Most of what is many is behind the first buffer, and has its place in `whole_` already.
    const std::array<iovec, 3> parts{{{head.data(), head.size()},
                                      {data_of(packet), room},
                                      {whole_.data() + room, whole_.size() - room}}};
    const ssize_t got = readv(*fds_.read, parts.data(), parts.size());
    if (got <= 0) return false;
    const std::size_t size =
        static_cast<std::size_t>(got) - std::min(head.size(), static_cast<std::size_t>(got));
    const std::size_t in_packet = std::min(size, room);
    const VnetHeader header = offload::read_vnet_header(head);
    bool good = false;
    if (header.gso_type == VnetHeader::kGsoNone) {
      // One that is too long for its buffer is refused by who checks its length.
      set_length(packet, in_packet);
      good = size > in_packet ||
             offload::complete_checksum(header, {data_of(packet), packet.data_len});
    } else {
      std::memcpy(whole_.data(), data_of(packet), in_packet);
      good = segmenter_.start(header, {whole_.data(), size}, room);
    }
    if (!good) refuse(packet, size);
    return true;
  }

  void refuse(rte_mbuf& packet, std::size_t size) {
    set_length(packet, 0);
    stats_.inside.rx_packets.add(1);
    stats_.inside.rx_bytes.add(size);
    stats_.drops[static_cast<std::size_t>(Verdict::kBadOffload)].add(1);
  }

  // False: the kernel does not take them so. It is then given one at a time.
  bool write_whole(const Bundle& bundle, std::span<const ByteView> views) {
    std::array<std::byte, VnetHeader::kSize + Coalescer::kMostHeaders> head;
    std::array<iovec, 1 + Coalescer::kMost> parts;
    offload::write_vnet_header(
        head.data(),
        Coalescer::write_headers(bundle, views[bundle.first], head.data() + VnetHeader::kSize));
    parts[0] = {head.data(), VnetHeader::kSize + bundle.headers};
    int count = 1;
    std::uint8_t i = bundle.first;
    for (std::uint8_t left = bundle.packets; left > 0; --left, i = coalescer_.next(i)) {
      const ByteView payload = views[i].subspan(bundle.headers);
      parts[static_cast<std::size_t>(count++)] = {const_cast<std::byte*>(payload.data()),
                                                  payload.size()};
    }
    return writev(fds_.write, parts.data(), count) > 0;
  }

  // With a header that says nothing, in front of the packet where its outer header was.
  bool write_one(rte_mbuf& packet) {
    if (rte_pktmbuf_headroom(&packet) < VnetHeader::kSize) return false;
    std::byte* const start = data_of(packet) - VnetHeader::kSize;
    offload::write_vnet_header(start, {});
    return write(fds_.write, start, VnetHeader::kSize + packet.data_len) > 0;
  }

  TunDescriptors fds_;
  MbufStore store_;
  Coalescer coalescer_;
  WorkerStats& stats_;
  offload::Segmenter segmenter_;
  std::array<std::byte, kLongest + 1> whole_;
};

}  // namespace

std::unique_ptr<PortQueue> make_tun_offload_queue(TunDescriptors fds, rte_mempool* pool,
                                                  offload::CoalesceRules rules,
                                                  WorkerStats& stats) {
  return std::make_unique<TunOffloadQueue>(fds, pool, rules, stats);
}

}  // namespace magnetar
