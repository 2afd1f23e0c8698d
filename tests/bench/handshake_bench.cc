// SPDX-License-Identifier: Apache-2.0
// Handshakes a second as responder on one core, and what the curve and signature operations alone
// would allow, measured in turns. Then the memory of idle tunnels.
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string_view>
#include <vector>

#include <malloc.h>
#include <sodium.h>
#include <unistd.h>

#include "dataplane/base/check.h"
#include "tests/bench/report.h"
#include "tests/bench/responder.h"

namespace magnetar::bench {
namespace {

constexpr std::uint32_t kRounds = 41;
constexpr std::uint32_t kPerRound = 64;
constexpr std::uint32_t kIdleTunnels = 100'000;

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// What one answer cannot do without: an ephemeral key, three exchanges, one signature checked.
class CurveOperations {
 public:
  CurveOperations() {
    std::array<std::uint8_t, 32> seed{9};
    crypto_sign_seed_keypair(public_.data(), secret_.data(), seed.data());
    crypto_sign_detached(signature_.data(), nullptr, message_.data(), message_.size(),
                         secret_.data());
    scalar_.fill(3);
    crypto_scalarmult_base(point_.data(), scalar_.data());
  }
  void run() {
    std::array<std::uint8_t, 32> out;
    crypto_scalarmult_base(out.data(), scalar_.data());
    for (int i = 0; i < 3; ++i)
      MAGNETAR_CHECK(crypto_scalarmult(out.data(), scalar_.data(), point_.data()) == 0);
    MAGNETAR_CHECK(crypto_sign_verify_detached(signature_.data(), message_.data(), message_.size(),
                                               public_.data()) == 0);
  }

 private:
  std::array<std::uint8_t, 100> message_{};  // about a certificate's details
  std::array<std::uint8_t, 32> public_{};
  std::array<std::uint8_t, 64> secret_{};
  std::array<std::uint8_t, 64> signature_{};
  std::array<std::uint8_t, 32> scalar_{};
  std::array<std::uint8_t, 32> point_{};
};

void measure_handshakes() {
  Responder responder(8192);
  CurveOperations curve;
  std::vector<double> ours;
  std::vector<double> limit;
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    std::vector<Knock> knocks;
    for (std::uint32_t i = 0; i < kPerRound; ++i)
      knocks.push_back(responder.knock(round * kPerRound + i));
    const double start = seconds();
    for (const Knock& knock : knocks) responder.answer(knock);
    const double middle = seconds();
    for (std::uint32_t i = 0; i < kPerRound; ++i) curve.run();
    limit.push_back((seconds() - middle) / kPerRound);
    ours.push_back((middle - start) / kPerRound);
  }
  MAGNETAR_CHECK(responder.answered() == kRounds * kPerRound);
  const double mine = median(ours);
  const double bare = median(limit);
  std::printf(
      "handshakes as responder: %.0f/s (%.1f us each); curve and signature alone: %.0f/s "
      "(%.1f us); ratio %.2f\n",
      1 / mine, mine * 1e6, 1 / bare, bare * 1e6, bare / mine);
}

std::size_t resident_bytes() {
  malloc_trim(0);
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

void measure_memory() {
  Responder responder(131'072);
  for (std::uint32_t i = 0; i < 1000; ++i) responder.answer(responder.knock(i));  // warms pools
  const std::size_t before = resident_bytes();
  for (std::uint32_t i = 1000; i < 1000 + kIdleTunnels; ++i) responder.answer(responder.knock(i));
  const std::size_t after = resident_bytes();
  MAGNETAR_CHECK(responder.tunnels() == 1000 + kIdleTunnels);
  std::printf("memory: %.0f bytes for one idle tunnel, at %u tunnels\n",
              static_cast<double>(after - before) / kIdleTunnels, kIdleTunnels);
}

}  // namespace
}  // namespace magnetar::bench

int main() {
  if (sodium_init() < 0) return 1;
  magnetar::testing::ensure_eal();
  magnetar::bench::measure_handshakes();
  magnetar::bench::measure_memory();
  return 0;
}
