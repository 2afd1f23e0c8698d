// SPDX-License-Identifier: Apache-2.0
// The IP packet inside the tunnel: just enough of it to route and to check its source.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "dataplane/base/addr.h"
#include "dataplane/base/bytes.h"

namespace magnetar::wire {

struct InnerView {
  const std::byte* source = nullptr;       // 4 or 16 bytes within the packet
  const std::byte* destination = nullptr;  // the same
  bool v4 = true;

  [[nodiscard]] IpAddr source_addr() const { return address(source); }
  [[nodiscard]] IpAddr destination_addr() const { return address(destination); }

 private:
  [[nodiscard]] IpAddr address(const std::byte* at) const {
    return v4 ? IpAddr::v4(std::span<const std::byte, 4>(at, 4))
              : IpAddr::v6(std::span<const std::byte, 16>(at, 16));
  }
};

// A whole IPv4 or IPv6 packet: the header's length is the packet's, and a fragment ends within
// 65,535 bytes. None: it is not one. `view` points into `packet`.
[[nodiscard]] bool parse_inner(ByteView packet, InnerView& view);

}  // namespace magnetar::wire
