// SPDX-License-Identifier: Apache-2.0
// A gateway that answers handshakes, from the packet to the published session, and peers that
// knock.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "controlplane/control_plane.h"
#include "controlplane/handshake/payload.h"
#include "controlplane/pki/codec_v1.h"
#include "controlplane/publish/publisher.h"
#include "controlplane/publish/session_traffic.h"
#include "dataplane/base/check.h"
#include "drivers/crypto/ipsec_mb.h"
#include "tests/support/eal.h"
#include "tests/support/identities.h"
#include "tests/support/random.h"

namespace magnetar::bench {

// Every peer is at the same next hop.
class OneHop final : public PathFinder {
 public:
  std::optional<wire::OuterPath> path_to(const UnderlayAddr& to) override {
    return wire::OuterPath{.source_mac = {},
                           .next_mac = {std::byte{2}},
                           .source = {IpAddr::v4(0xc0000201), 4242},
                           .destination = to};
  }
  void forget() override {}
};

struct Knock {
  UnderlayAddr from;
  Bytes packet;  // stage 1, header included
};

class Responder {
 public:
  explicit Responder(std::uint32_t tunnels)
      : pool_(testing::make_pool(8191)),
        sessions_(tunnels, grace_),
        routes_(tunnels, grace_),
        rings_(1, 64, 4096),
        aead_(make_ipsec_mb(Cipher::kAes256Gcm)),
        publisher_({sessions_, routes_, rings_, *aead_, paths_,
                    [](const UnderlayAddr&, ByteView) { return false; }, pool_.get(), 1, 1500}),
        traffic_(sessions_),
        control_(authority_.shared_host("gateway", "10.0.0.1/8", 1), settings(tunnels), random_,
                 &traffic_) {}

  // Peer `n`, with a certificate of its own and an ephemeral key that is new each time.
  [[nodiscard]] Knock knock(std::uint32_t n) {
    const Identity peer = host(n);
    EphemeralPrivateKey ephemeral;
    random_.fill(ephemeral.fill());
    noise::Initiator initiator(Cipher::kAes256Gcm, peer.private_key,
                               noise::key_pair_from(std::move(ephemeral)));
    const handshake::Payload payload{
        .certificate = pki::encode_v1_for_handshake(peer.certificate),
        .initiator_index = n + 1,
        .time_ns = static_cast<std::uint64_t>(now_.wall.time_since_epoch().count()) + ++knocks_};
    Bytes packet(wire::Header::kSize);
    wire::write_header(std::span(packet).first<16>(),
                       {.type = wire::MessageType::kHandshake, .counter = Counter{1}});
    append(packet, initiator.write_message_1(handshake::write_payload(payload)));
    return {{IpAddr::v4(0xc6000000 + n), 4242}, std::move(packet)};
  }

  // All of a handshake's work, up to the stage 2 in a worker's ring.
  void answer(const Knock& knock) {
    Actions actions;
    control_.on_handshake(knock.from, *wire::parse_header(knock.packet), knock.packet, now_,
                          actions);
    carry_out(actions);
    answered_ += drain();
  }
  // The tunnel goes; that its peer's certificate is good is remembered.
  void close(std::uint32_t n) {
    Actions actions;
    MAGNETAR_CHECK(control_.close(addr_of(n), now_, actions));
    carry_out(actions);
    drain();
    publisher_.reap();
  }
  // The connection manager looks at every tunnel, as it does after five seconds.
  void look_at_all() {
    now_.steady += std::chrono::seconds(5);
    while (const auto due = control_.next_timeout()) {
      if (*due > now_.steady) return;
      Actions actions;
      control_.on_time(now_, actions);
      carry_out(actions);
      drain();
    }
  }
  // A certificate of a peer and the key of the CA that signed it.
  [[nodiscard]] pki::Certificate certificate_of(std::uint32_t n) const {
    return host(n).certificate;
  }
  [[nodiscard]] const pki::Certificate& authority() const { return authority_.certificate(); }
  [[nodiscard]] std::uint64_t answered() const { return answered_; }
  [[nodiscard]] std::size_t tunnels() const { return control_.tunnels_up(); }

 private:
  static ControlSettings settings(std::uint32_t tunnels) {
    ControlSettings out;
    out.max_tunnels = tunnels;
    return out;
  }
  static VpnAddr addr_of(std::uint32_t n) { return VpnAddr{IpAddr::v4(0x0a000002 + n)}; }
  [[nodiscard]] Identity host(std::uint32_t n) const {
    return authority_.host("peer-" + std::to_string(n), addr_of(n).to_string() + "/8", 2);
  }
  void carry_out(Actions& actions) {
    for (Action& action : actions)
      std::visit(
          [this](auto& what) {
            if constexpr (requires { publisher_.carry_out(what); }) publisher_.carry_out(what);
          },
          action);
  }
  // Takes what a worker would send.
  std::uint64_t drain();

  testing::Authority authority_;
  testing::SeededRandom random_{7};
  testing::Pool pool_;
  Grace grace_{1};
  SessionTable sessions_;
  RouteTable routes_;
  ControlRings rings_;
  std::unique_ptr<Aead> aead_;
  OneHop paths_;
  Publisher publisher_;
  SessionTraffic traffic_;
  ControlPlane control_;
  Now now_{Instant{std::chrono::seconds(1000)}, testing::kWallStart};
  std::uint64_t knocks_ = 0;
  std::uint64_t answered_ = 0;
};

}  // namespace magnetar::bench
