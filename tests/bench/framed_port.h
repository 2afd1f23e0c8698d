// SPDX-License-Identifier: Apache-2.0
// An Ethernet port as the inside of a bench: the pipelines want bare IP packets there.
#pragma once

#include <memory>
#include <span>

#include "dataplane/base/addr.h"
#include "dataplane/port.h"

namespace magnetar::bench {

class FramedPort final : public PortQueue {
 public:
  // What is sent goes from `own` to `next`.
  FramedPort(std::unique_ptr<PortQueue> frames, const MacAddr& own, const MacAddr& next);

  std::uint16_t receive(std::span<rte_mbuf*> into) override;
  std::uint16_t transmit(std::span<rte_mbuf*> packets) override;

 private:
  std::unique_ptr<PortQueue> frames_;
  MacAddr own_;
  MacAddr next_;
};

}  // namespace magnetar::bench
