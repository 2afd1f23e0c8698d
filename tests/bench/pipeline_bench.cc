// SPDX-License-Identifier: Apache-2.0
// Cycles a packet through the real pipelines (mbufs, tables, replay window, counters; ports of
// memory) against bare ipsec-mb on the same buffers, the two taking turns. docs/performance.md
// tells the method.
#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include <rte_cycles.h>
#include <rte_mbuf.h>

#include "dataplane/base/check.h"
#include "dataplane/worker.h"
#include "drivers/crypto/ipsec_mb.h"
#include "tests/bench/bare_cipher.h"
#include "tests/bench/bench_port.h"
#include "tests/bench/report.h"
#include "tests/support/data_plane.h"
#include "tests/support/inner_packets.h"

namespace magnetar::bench {
namespace {

constexpr std::size_t kRuns = 301;
constexpr std::size_t kWarmUp = 20;
constexpr std::size_t kBufferBytes = 512 * 1024;  // of packets in one run: they stay in L2
constexpr std::size_t kMostPackets = 256;
constexpr std::uint16_t kDataRoom = 128 + 9216 + 64;
constexpr std::size_t kNebula = 42;  // offset of the Nebula packet in an IPv4 frame

const IpAddr kOverlay = IpAddr::v4(0x0a2a0001);
const UnderlayAddr kOwn{IpAddr::v4(0xc0000201), 4242};

// Two ends of one session, as one gateway would see the other.
testing::PeerSpec peer() {
  testing::PeerSpec spec;
  spec.send_key = testing::key_of(1);
  spec.receive_key = testing::key_of(1);  // so that what we seal we can open
  spec.remote = RemoteIndex{spec.local.raw()};
  return spec;
}

class Bench {
 public:
  Bench(Cipher cipher, std::size_t bytes)
      : cipher_(cipher),
        bytes_(bytes),
        pool_(testing::make_pool(1023, kDataRoom)),
        sessions_(1024, grace_),
        routes_(1024, grace_),
        aead_(make_ipsec_mb(cipher)),
        bare_(make_bare_cipher(cipher)),
        rings_(1, 64, 64),
        worker_({0, outside_, inside_, sessions_, routes_, facts_, *aead_, rings_, stats_}, grace_,
                IdlePolicy::kPoll) {
    own_.underlay.add(kOwn.ip);
    own_.listen_port = 4242;
    own_.outside_mtu = 9200;
    own_.add_overlay({kOverlay, 16});
    facts_ = &own_;
    grace_.enter(0);
    const testing::PeerSpec spec = peer();
    sessions_.publish(testing::make_session(spec, *aead_, kOwn));
    session_ = sessions_.find(spec.local);
    MAGNETAR_CHECK(routes_.set(spec.overlay, session_));
    mbufs_.resize(std::min(kMostPackets, kBufferBytes / (bytes + 512)));
    for (rte_mbuf*& mbuf : mbufs_) mbuf = rte_pktmbuf_alloc(pool_.get());
    seal_frames();
  }
  ~Bench() {
    rte_pktmbuf_free_bulk(mbufs_.data(), static_cast<unsigned>(mbufs_.size()));
    grace_.leave(0);
  }

  Row seal() {
    return measure(
        "seal", Direction::kSeal, outside_, [this] { ready_to_seal(); }, inside_);
  }
  Row open() {
    return measure(
        "open", Direction::kOpen, inside_, [this] { ready_to_open(); }, outside_);
  }

 private:
  // One run of each in turn, so that a change of the machine's speed meets both.
  template <typename Ready>
  Row measure(const char* pipeline, Direction direction, const BenchPort& sink, Ready&& ready,
              BenchPort& source) {
    std::vector<double> ours;
    std::vector<double> bare;
    for (std::size_t run = 0; run < kRuns + kWarmUp; ++run) {
      ready();
      source.load(mbufs_);
      const std::size_t before = sink.sent();
      const std::uint64_t start = rte_rdtsc_precise();
      while (!source.empty()) worker_.run_once();
      const std::uint64_t middle = rte_rdtsc_precise();
      MAGNETAR_CHECK(sink.sent() - before == mbufs_.size());
      const std::vector<Buffer> buffers = bare_buffers();
      const std::uint64_t bare_start = rte_rdtsc_precise();
      bare_->run(direction, buffers);
      const std::uint64_t end = rte_rdtsc_precise();
      if (run < kWarmUp) continue;
      ours.push_back(per_packet(middle - start));
      bare.push_back(per_packet(end - bare_start));
    }
    const std::string cipher(cipher_name(cipher_));
    return {.name = std::string(pipeline) + "/" + cipher + "/" + std::to_string(bytes_),
            .pipeline = pipeline,
            .cipher = cipher,
            .bytes = bytes_,
            .sessions = 1,
            .cycles_per_packet = median(ours),
            .limit_cycles_per_packet = median(bare),
            .runs = kRuns};
  }

  [[nodiscard]] double per_packet(std::uint64_t cycles) const {
    return static_cast<double>(cycles) / static_cast<double>(mbufs_.size());
  }

  void reset(rte_mbuf& mbuf, ByteView content) {
    std::byte* data = static_cast<std::byte*>(mbuf.buf_addr) + RTE_PKTMBUF_HEADROOM;
    std::ranges::copy(content, data);
    set_data(mbuf, data, content.size());
  }
  void ready_to_seal() {
    for (rte_mbuf* mbuf : mbufs_) reset(*mbuf, plain_);
  }
  void ready_to_open() {
    for (std::size_t i = 0; i < mbufs_.size(); ++i) reset(*mbufs_[i], sealed_[i]);
    std::destroy_at(&session_->hot->window);
    std::construct_at(&session_->hot->window);
  }
  // The buffers as the pipelines leave them: header, text and tag in place.
  [[nodiscard]] std::vector<Buffer> bare_buffers() const {
    std::vector<Buffer> buffers;
    for (rte_mbuf* mbuf : mbufs_) {
      std::byte* data = static_cast<std::byte*>(mbuf->buf_addr) + RTE_PKTMBUF_HEADROOM;
      buffers.push_back({data, static_cast<std::uint32_t>(bytes_)});
    }
    return buffers;
  }

  // What the peer would have sent: sealed by our own pipeline, then turned round.
  void seal_frames() {
    plain_ = testing::ipv4(kOverlay, peer().overlay.ip, bytes_ - 20);
    const Bytes theirs = testing::ipv4(peer().overlay.ip, kOverlay, bytes_ - 20);
    const wire::OuterTemplate outer({.source = peer().addr, .destination = kOwn});
    for (std::size_t i = 0; i < mbufs_.size(); ++i) {
      Bytes frame(kNebula + 32 + bytes_);
      std::byte* header = frame.data() + kNebula;
      std::ranges::copy(theirs, header + 16);
      store_block(header, make_header(session_->data_header, 3 + i));
      AeadJob job{};
      store_block(&job.nonce, make_nonce(cipher_, 3 + i));
      job.key = &session_->seal_key;
      job.aad = header;
      job.aad_length = 16;
      job.text = header + 16;
      job.length = static_cast<std::uint32_t>(bytes_);
      job.tag = job.text + bytes_;
      aead_->seal({&job, 1});
      outer.write_before(header, 32 + bytes_);
      sealed_.push_back(std::move(frame));
    }
  }

  Cipher cipher_;
  std::size_t bytes_;
  testing::Pool pool_;
  BenchPort outside_;
  BenchPort inside_;
  Grace grace_{1};
  SessionTable sessions_;
  RouteTable routes_;
  Facts own_;
  std::atomic<const Facts*> facts_{nullptr};
  std::unique_ptr<Aead> aead_;
  std::unique_ptr<BareCipher> bare_;
  ControlRings rings_;
  WorkerStats stats_;
  Worker worker_;
  const Session* session_ = nullptr;
  std::vector<rte_mbuf*> mbufs_;
  Bytes plain_;
  std::vector<Bytes> sealed_;
};

int run(const char* json_path) {
  testing::ensure_eal();
  std::vector<Row> rows;
  for (const Cipher cipher : {Cipher::kAes256Gcm, Cipher::kChaCha20Poly1305}) {
    for (const std::size_t bytes : {64U, 512U, 1420U, 8900U}) {
      Bench bench(cipher, bytes);
      rows.push_back(bench.seal());
      rows.push_back(bench.open());
    }
  }
  const double cycles_per_ns = static_cast<double>(rte_get_tsc_hz()) / 1e9;
  print_table(rows, cycles_per_ns);
  return json_path == nullptr || write_json(json_path, rows, cycles_per_ns) ? 0 : 1;
}

}  // namespace
}  // namespace magnetar::bench

int main(int argc, char** argv) {
  const bool json = argc == 3 && std::string_view(argv[1]) == "--json";
  if (argc != 1 && !json) {
    std::fprintf(stderr, "usage: pipeline_bench [--json FILE]\n");
    return 2;
  }
  return magnetar::bench::run(json ? argv[2] : nullptr);
}
