// SPDX-License-Identifier: Apache-2.0
// What travels with an mbuf that leaves a worker for the control plane, in the mbuf's private area.
#pragma once

#include <cstdint>

#include <rte_mbuf.h>

#include "dataplane/base/addr.h"
#include "dataplane/stats.h"
#include "dataplane/wire/header.h"

namespace magnetar {

struct PuntMeta {
  wire::Header header;  // kNoTunnel, kKernel: not set
  UnderlayAddr source;  // of what came from outside; kNoNeighbour: where it is to go
  LocalIndex session;   // kSessionMessage, kMoved
  PuntKind kind = PuntKind::kHandshake;
  std::uint16_t worker = 0;  // that brought it
};

// Private area of every mbuf of our pools, in bytes.
inline constexpr std::uint16_t kMbufPrivateSize = 64;
static_assert(sizeof(PuntMeta) <= kMbufPrivateSize);

[[nodiscard]] inline PuntMeta& punt_meta(rte_mbuf& mbuf) {
  return *static_cast<PuntMeta*>(rte_mbuf_to_priv(&mbuf));
}

[[nodiscard]] inline std::byte* data_of(rte_mbuf& mbuf) {
  return rte_pktmbuf_mtod(&mbuf, std::byte*);
}
[[nodiscard]] inline ByteView view_of(rte_mbuf& mbuf) { return {data_of(mbuf), mbuf.data_len}; }

// Makes the mbuf's data `length` bytes long, from where it starts.
inline void set_length(rte_mbuf& mbuf, std::size_t length) {
  mbuf.data_len = static_cast<std::uint16_t>(length);
  mbuf.pkt_len = static_cast<std::uint32_t>(length);
}

// Makes the mbuf's data the `length` bytes at `start`, which lie in its buffer.
inline void set_data(rte_mbuf& mbuf, const std::byte* start, std::size_t length) {
  mbuf.data_off = static_cast<std::uint16_t>(start - static_cast<const std::byte*>(mbuf.buf_addr));
  set_length(mbuf, length);
}

}  // namespace magnetar
