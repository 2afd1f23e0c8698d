// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/tun_queue.h"

#include <unistd.h>

#include "dataplane/packet/meta.h"
#include "drivers/net/mbuf_store.h"

namespace magnetar {
namespace {

class TunQueue final : public PortQueue {
 public:
  TunQueue(TunDescriptors fds, rte_mempool* pool) : fds_(fds), store_(pool) {}

  std::uint16_t receive(std::span<rte_mbuf*> into) override {
    if (!fds_.read) return 0;
    std::uint16_t count = 0;
    while (count < into.size()) {
      rte_mbuf* packet = store_.peek();
      if (packet == nullptr) break;
      const auto room = static_cast<std::size_t>(rte_pktmbuf_tailroom(packet) - kTunTailroom);
      const ssize_t got = read(*fds_.read, data_of(*packet), room);
      if (got <= 0) break;
      set_length(*packet, static_cast<std::size_t>(got));
      store_.take();
      into[count++] = packet;
    }
    return count;
  }

  std::uint16_t transmit(std::span<rte_mbuf*> packets) override {
    std::uint16_t count = 0;
    for (rte_mbuf* packet : packets) {
      const ssize_t put = write(fds_.write, data_of(*packet), packet->data_len);
      if (put != packet->data_len) break;
      ++count;
    }
    rte_pktmbuf_free_bulk(packets.data(), count);
    return count;
  }

  [[nodiscard]] std::optional<int> readable_fd() const override { return fds_.read; }

 private:
  TunDescriptors fds_;
  MbufStore store_;
};

}  // namespace

std::unique_ptr<PortQueue> make_tun_queue(TunDescriptors fds, rte_mempool* pool) {
  return std::make_unique<TunQueue>(fds, pool);
}

}  // namespace magnetar
