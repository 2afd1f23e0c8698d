// SPDX-License-Identifier: Apache-2.0
// A gateway's data plane with two ethdev ports and one session, on a core of its own, for
// tests/bench/gateway.py: the daemon's EAL, ports, tables and worker. What the daemon has no port
// for yet, an Ethernet device as the inside, is FramedPort.
//
//   gateway_memif --outside VDEV --inside VDEV [--worker-core N] [--control-core N]
//
// Prints a line of JSON when it is ready, one for each line it reads, and the last at the end of
// its input.
#include <atomic>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>
#include <poll.h>
#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "dataplane/base/check.h"
#include "dataplane/packet/pool.h"
#include "dataplane/worker.h"
#include "drivers/crypto/ipsec_mb.h"
#include "drivers/eal.h"
#include "drivers/net/ethdev_device.h"
#include "drivers/net/port.h"
#include "tests/bench/framed_port.h"
#include "tests/bench/memseg_files.h"
#include "tests/support/data_plane.h"

namespace magnetar::bench {
namespace {

constexpr std::uint16_t kMtu = 1500;
constexpr unsigned kMbufs = 16383;
constexpr std::uint32_t kTables = 1024;
constexpr int kLookMs = 100;

struct Options {
  std::string outside;
  std::string inside;
  unsigned worker_core = 1;
  unsigned control_core = 0;
};

// As DataPlane::open_pool does.
testing::Pool open_pool() {
  testing::Pool pool(make_packet_pool(
      {.name = "packets", .mbufs = kMbufs, .cache = 256, .data_room = packet_data_room(kMtu)}));
  MAGNETAR_CHECK(pool != nullptr);
  return pool;
}

// What testpmd's flowgen makes: from 10.254.0.0/16 to 10.253.0.0.
Facts make_facts() {
  Facts facts;
  facts.underlay.add(IpAddr::v4(0xc0000201));
  facts.listen_port = 4242;
  facts.outside_mtu = kMtu;
  facts.add_overlay(*Prefix::parse("10.0.0.1/8"));
  facts.local.add(*Prefix::parse("10.254.0.0/16"));
  return facts;
}

class MemifGateway {
 public:
  MemifGateway(std::unique_ptr<PortQueue> outside, std::unique_ptr<PortQueue> inside)
      : outside_(std::move(outside)),
        inside_(std::move(inside)),
        worker_({0, *outside_, *inside_, sessions_, routes_, facts_, *aead_, rings_, stats_, true},
                grace_, IdlePolicy::kPoll) {
    testing::PeerSpec peer;
    peer.overlay = {IpAddr::v4(0x0afd0000)};
    peer.send_key = testing::key_of(1);
    peer.receive_key = testing::key_of(2);
    sessions_.publish(testing::make_session(peer, *aead_, {IpAddr::v4(0xc0000201), 4242}));
    MAGNETAR_CHECK(routes_.set(peer.overlay, sessions_.find(peer.local)->hot));
  }

  void start() {
    const auto run = [](void* worker) {
      static_cast<Worker*>(worker)->run();
      return 0;
    };
    MAGNETAR_CHECK(rte_eal_remote_launch(run, &worker_, 1) == 0);
  }
  void stop() {
    worker_.stop();
    rte_eal_mp_wait_lcore();
  }
  // Frees what was punted, as the control thread would.
  void drain_punted() {
    std::array<rte_mbuf*, 64> mbufs;
    while (const unsigned count = rings_.take_punted(mbufs))
      rte_pktmbuf_free_bulk(mbufs.data(), count);
  }
  [[nodiscard]] nlohmann::json report() const;

 private:
  std::unique_ptr<PortQueue> outside_;
  std::unique_ptr<PortQueue> inside_;
  Grace grace_{1};
  SessionTable sessions_{kTables, grace_};
  RouteTable routes_{kTables, grace_};
  Facts own_ = make_facts();
  std::atomic<const Facts*> facts_{&own_};
  std::unique_ptr<Aead> aead_ = make_ipsec_mb(Cipher::kAes256Gcm);
  ControlRings rings_{1, 1024, 1024};
  WorkerStats stats_;
  Worker worker_;
};

nlohmann::json side(const SideStats& stats) {
  return {{"rx_packets", stats.rx_packets.get()},
          {"rx_bytes", stats.rx_bytes.get()},
          {"tx_packets", stats.tx_packets.get()},
          {"tx_bytes", stats.tx_bytes.get()}};
}

// Totals since the start; their differences are what `magnetar runtime` shows.
nlohmann::json MemifGateway::report() const {
  nlohmann::json stages = nlohmann::json::array();
  for (std::size_t i = 0; i < kStages; ++i) {
    const StageStats& of = stats_.stages[i];
    stages.push_back({{"pipeline", kStageNames[i].pipeline},
                      {"stage", kStageNames[i].stage},
                      {"packets", of.packets.get()},
                      {"vectors", of.vectors.get()},
                      {"cycles", of.cycles.get()}});
  }
  nlohmann::json drops = nlohmann::json::object();
  for (std::size_t i = 0; i < kVerdicts; ++i)
    if (const std::uint64_t count = stats_.drops[i].get(); count > 0)
      drops[std::string(kVerdictRules[i].label)] = count;
  std::uint64_t punted = 0;
  for (const OwnedCounter& of : stats_.punted) punted += of.get();
  return {{"tsc", rte_rdtsc()},
          {"tsc_hz", rte_get_tsc_hz()},
          {"inside", side(stats_.inside)},
          {"outside", side(stats_.outside)},
          {"drops", drops},
          {"punted", punted},
          {"injected", stats_.injected.get()},
          {"busy_cycles", stats_.busy_cycles.get()},
          {"total_cycles", stats_.total_cycles.get()},
          {"stages", stages}};
}

void answer_until_end(MemifGateway& gateway) {
  std::string line;
  pollfd input{.fd = 0, .events = POLLIN, .revents = 0};
  while (true) {
    const int ready = poll(&input, 1, kLookMs);
    gateway.drain_punted();
    if (ready <= 0) continue;
    if (!std::getline(std::cin, line)) return;
    std::cout << gateway.report() << std::endl;
  }
}

// "net_memif0,role=client,..." as `outside.port` has it.
EthdevOptions ethdev_options(const std::string& vdev) {
  const std::size_t comma = std::min(vdev.find(','), vdev.size() - 1);
  return {.name = vdev.substr(0, comma), .arguments = vdev.substr(comma + 1), .hotplug = true};
}

int refuse(const DeviceError& error) {
  std::fprintf(stderr, "gateway_memif: %s\n", error.what.c_str());
  return 3;
}

int run(const Options& options) {
  auto eal = Eal::start({.worker_cores = {options.worker_core},
                         .control_core = options.control_core,
                         .memory = EalMemory::kHugepages,
                         .single_file_segments = true});
  if (!eal) return refuse(eal.error());
  const testing::Pool pool = open_pool();
  const MemsegFiles files;
  auto outside = OutsidePort::open({.port = options.outside}, pool.get());
  if (!outside) return refuse(outside.error());
  files.mend();
  auto inside = EthdevDevice::open(ethdev_options(options.inside), pool.get());
  if (!inside) return refuse(inside.error());
  files.mend();
  const MacAddr next{std::byte{2}, {}, {}, {}, {}, std::byte{3}};
  MemifGateway gateway(
      (*outside)->queue_for_worker(0, 0),
      std::make_unique<FramedPort>((*inside)->queue(0, 0), (*inside)->mac(), next));
  gateway.start();
  std::cout << gateway.report() << std::endl;
  answer_until_end(gateway);
  gateway.stop();
  gateway.drain_punted();
  std::cout << gateway.report() << std::endl;
  return 0;
}

}  // namespace
}  // namespace magnetar::bench

int main(int argc, char** argv) {
  magnetar::bench::Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::string value = argv[i + 1];
    if (name == "--outside") options.outside = value;
    if (name == "--inside") options.inside = value;
    if (name == "--worker-core") options.worker_core = static_cast<unsigned>(std::stoul(value));
    if (name == "--control-core") options.control_core = static_cast<unsigned>(std::stoul(value));
  }
  if (options.outside.empty() || options.inside.empty()) {
    std::fprintf(stderr,
                 "usage: gateway_memif --outside VDEV --inside VDEV [--worker-core N] "
                 "[--control-core N]\n");
    return 2;
  }
  return magnetar::bench::run(options);
}
