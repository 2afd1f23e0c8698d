// SPDX-License-Identifier: Apache-2.0
// Frames out of a UDP socket: the kernel makes their headers anew, and consecutive ones to one
// place leave as a train, one message that it cuts again (UDP_SEGMENT).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <netinet/in.h>
#include <sys/socket.h>

#include "dataplane/wire/outer_packet.h"

struct rte_mbuf;

namespace magnetar {

class UdpSender {
 public:
  // `fd` must outlive this object, and may be others' too.
  UdpSender(int fd, bool segments) : fd_(fd), segments_(segments) {}

  // PortQueue::transmit(). What the kernel will not send to one place (no route, too big) is not
  // taken, and does not keep the others.
  std::uint16_t transmit(std::span<rte_mbuf*> packets);

 private:
  static constexpr std::size_t kBurst = 64;  // also the most that the kernel cuts a message into
  static constexpr std::size_t kMostBytes = 65507;
  static constexpr std::size_t kControl =
      CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(std::uint16_t));

  struct Train {
    std::uint8_t first = 0;  // in the burst
    std::uint8_t frames = 0;
    std::uint16_t size = 0;  // of a payload; the last one's may be smaller
    std::uint32_t bytes = 0;
    bool closed = false;  // takes no more
    std::uint64_t to = 0;
  };
  enum class Outcome : std::uint8_t { kSent, kLater, kRefused };

  std::uint16_t transmit_burst(std::span<rte_mbuf*> burst);
  std::size_t form_trains(std::span<rte_mbuf*> burst);
  [[nodiscard]] bool joins(const Train& train, std::size_t before, std::size_t frame) const;
  void address(std::size_t train);
  Outcome send_trains(std::size_t count, std::size_t& at);
  Outcome send_singly(std::size_t train);
  [[nodiscard]] bool goes_singly(std::uint64_t to) const;

  int fd_;
  bool segments_;
  std::array<wire::OuterView, kBurst> views_;
  std::array<iovec, kBurst> payloads_;
  std::array<Train, kBurst> trains_;
  std::array<mmsghdr, kBurst> messages_;
  std::array<sockaddr_in6, kBurst> addresses_;
  struct alignas(cmsghdr) Control {
    std::array<std::byte, kControl> bytes;
  };
  std::array<Control, kBurst> controls_;
  std::array<bool, kBurst> sent_;
  // Places to which the kernel cuts nothing (an interface without checksums, IPsec), each where
  // its hash says; another one with the same is tried again and costs a call.
  std::array<std::uint64_t, 64> singly_{};
};

}  // namespace magnetar
