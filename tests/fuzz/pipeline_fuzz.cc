// SPDX-License-Identifier: Apache-2.0
// Hostile bytes at each door of the data plane: as a frame, as a Nebula packet within a good one,
// as the text of an authentic packet, as a packet from inside. Whatever comes is counted once.
#include <cstddef>
#include <cstdint>

#include "dataplane/base/check.h"
#include "tests/support/data_plane.h"

namespace magnetar {
namespace {

using testing::DataPlane;

constexpr std::size_t kNebula = 42;
constexpr std::size_t kLongest = 2000;  // with headers and tag it fits a buffer of the pool

struct Target {
  Target() : plane(Cipher::kAes256Gcm) {
    testing::PeerSpec spec;
    spec.send_key = testing::key_of(1);
    spec.receive_key = testing::key_of(1);
    session = &plane.add_peer(spec);
  }
  DataPlane plane;
  const Session* session;
  std::uint64_t counter = 2;
};

Bytes framed(const Target& target, ByteView packet) {
  const wire::OuterTemplate outer(
      {.source = testing::PeerSpec().addr, .destination = target.plane.own_addr});
  Bytes frame(kNebula + packet.size());
  std::ranges::copy(packet, frame.begin() + kNebula);
  outer.write_before(frame.data() + kNebula, packet.size());
  return frame;
}

// `text` as the peer would have sealed it, as a message of any encrypted type.
Bytes sealed(Target& target, std::uint8_t type, ByteView text) {
  constexpr std::uint8_t kTypes[] = {0x11, 0x13, 0x14, 0x15, 0x16};
  Bytes packet(32 + text.size());
  const std::uint64_t prefix = header_prefix(kTypes[type % 5], 0, testing::PeerSpec().local.raw());
  store_block(packet.data(), make_header(prefix, ++target.counter));
  std::ranges::copy(text, packet.begin() + 16);
  AeadJob job{};
  store_block(&job.nonce, make_nonce(Cipher::kAes256Gcm, target.counter));
  job.key = &target.session->seal_key;
  job.text = packet.data() + 16;
  job.length = static_cast<std::uint32_t>(text.size());
  target.plane.aead->seal({&job, 1});
  return framed(target, packet);
}

void run(Target& target, std::uint8_t door, ByteView bytes) {
  DataPlane& plane = target.plane;
  switch (door % 4) {
    case 0:
      plane.outside.arrive(bytes);
      break;
    case 1:
      plane.outside.arrive(framed(target, bytes));
      break;
    case 2:
      plane.outside.arrive(sealed(target, static_cast<std::uint8_t>(door / 4), bytes));
      break;
    default:
      plane.inside.arrive(bytes);
  }
  plane.run_until_idle();
  plane.take_punted();
  plane.inside.take_sent();
  plane.outside.take_sent();
  MAGNETAR_CHECK(plane.adds_up());
}

}  // namespace
}  // namespace magnetar

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static auto* target = new magnetar::Target;  // lives as long as the EAL
  if (size == 0 || size > magnetar::kLongest) return 0;
  magnetar::run(*target, data[0], std::as_bytes(std::span(data + 1, size - 1)));
  return 0;
}
