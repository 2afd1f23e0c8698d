// SPDX-License-Identifier: Apache-2.0
// Datagrams of a UDP socket as whole frames in mbufs. What the kernel coalesced (UDP_GRO) is cut
// again.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include <netinet/in.h>
#include <sys/socket.h>

#include "dataplane/base/addr.h"
#include "dataplane/wire/outer_packet.h"
#include "drivers/net/mbuf_store.h"

namespace magnetar {

class UdpReceiver {
 public:
  // `missed`: what did not fit a packet buffer, or found none, is added to it. All must outlive
  // this object.
  UdpReceiver(int fd, std::uint16_t port, const MacAddr& mac, rte_mempool* pool,
              std::atomic<std::uint64_t>& missed);
  ~UdpReceiver();
  UdpReceiver(const UdpReceiver&) = delete;
  UdpReceiver& operator=(const UdpReceiver&) = delete;

  // PortQueue::receive().
  std::uint16_t receive(std::span<rte_mbuf*> into);

 private:
  static constexpr std::size_t kMessages = 64;  // a call
  static constexpr std::size_t kLongest = 65536;

  // One message: a datagram, or many of one sender's to us, all of `each` bytes but the last. Its
  // start is in `packet`, which becomes the first one's buffer, the rest at its own place in
  // `whole`.
  struct Message {
    rte_mbuf* packet = nullptr;
    std::byte* whole = nullptr;
    std::array<iovec, 2> parts{};
    sockaddr_in6 from{};
    alignas(cmsghdr) std::array<std::byte, 128> control{};
    std::array<std::byte, wire::OuterTemplate::kMostSize> header{};
    std::size_t header_size = 0;
    std::size_t size = 0;
    std::size_t each = 0;
    std::size_t at = 0;  // what has been cut off
    std::size_t in_packet = 0;
    bool done = false;
  };

  void read();
  bool arm(std::size_t index);
  void accept(Message& message, const mmsghdr& read);
  [[nodiscard]] bool describe(Message& message, msghdr& read) const;
  void write_header(Message& message, const in6_addr& to) const;
  void miss(Message& message);
  std::uint16_t cut(Message& message, std::span<rte_mbuf*> into);
  static void copy(const Message& message, const std::byte* start, std::size_t length,
                   std::byte* to);
  static void finish(rte_mbuf& packet, const Message& message, std::size_t payload);

  int fd_;
  std::uint16_t port_;
  MacAddr mac_;
  MbufStore store_;
  std::atomic<std::uint64_t>& missed_;
  std::size_t room_;                     // for a payload, in a packet buffer
  std::unique_ptr<std::byte[]> wholes_;  // touched as far as messages fill it
  std::array<Message, kMessages> messages_;
  std::array<mmsghdr, kMessages> headers_{};
  std::array<bool, kMessages> armed_{};  // ready to be read into
  std::size_t ask_ = kMessages;          // fewer when each brings many
  std::size_t next_ = 0;                 // of those read, the first not done
  std::size_t read_ = 0;
};

}  // namespace magnetar
