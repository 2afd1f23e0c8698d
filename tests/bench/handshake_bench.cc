// SPDX-License-Identifier: Apache-2.0
// Handshakes a second as responder on one core, from stage 1 to the published session, and what the
// curve and signature operations alone would allow, measured in turns. Then the memory of idle
// tunnels.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <utility>
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

// Of this thread on its core: what else the machine does while we wait for our turn is not in it.
double seconds() {
  timespec spent{};
  MAGNETAR_CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent) == 0);
  return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) * 1e-9;
}

// What one answer cannot do without, and nothing else, by the same library: for a new peer an
// ephemeral key, three exchanges and one signature; for a certificate that is known no signature.
class CurveOperations {
 public:
  CurveOperations(pki::Certificate certificate, const pki::Certificate& authority)
      : certificate_(std::move(certificate)), authority_key_(authority.public_key) {
    scalar_.fill(3);
    crypto_scalarmult_base(point_.data(), scalar_.data());
  }
  void key_and_exchanges() {
    std::array<std::uint8_t, 32> out;
    crypto_scalarmult_base(out.data(), scalar_.data());
    for (int i = 0; i < 3; ++i)
      MAGNETAR_CHECK(crypto_scalarmult(out.data(), scalar_.data(), point_.data()) == 0);
  }
  void signature() {
    MAGNETAR_CHECK(crypto_sign_verify_detached(u8(ByteView(certificate_.signature)),
                                               u8(ByteView(certificate_.signed_bytes)),
                                               certificate_.signed_bytes.size(),
                                               u8(ByteView(authority_key_))) == 0);
  }

 private:
  pki::Certificate certificate_;
  Bytes authority_key_;
  std::array<std::uint8_t, 32> scalar_{};
  std::array<std::uint8_t, 32> point_{};
};

// Of one kind of peer: seconds for one answer, and for the curve operations in it.
struct Figures {
  std::vector<double> ours;
  std::vector<double> limit;

  void print(const char* peer, const char* operations) const {
    const double mine = median(ours);
    const double bare = median(limit);
    std::vector<double> ratios;  // of the two turns of a round, which met the machine at one speed
    for (std::size_t i = 0; i < ours.size(); ++i) ratios.push_back(limit[i] / ours[i]);
    std::printf(
        "responder, %s: %.0f/s (%.1f us each)\n"
        "  limit, %s: %.0f/s (%.1f us); ratio %.2f\n",
        peer, 1 / mine, mine * 1e6, operations, 1 / bare, bare * 1e6, median(ratios));
    std::fflush(stdout);
  }
};

void measure_handshakes() {
  Responder responder(8192);
  CurveOperations curve(responder.certificate_of(0), responder.authority());
  // Peers are made before the clock starts.
  const auto answer_all = [&](std::uint32_t first) {
    std::vector<Knock> knocks;
    for (std::uint32_t i = 0; i < kPerRound; ++i) knocks.push_back(responder.knock(first + i));
    const double start = seconds();
    for (const Knock& knock : knocks) responder.answer(knock);
    return (seconds() - start) / kPerRound;
  };
  const auto time_of = [](auto&& operation) {
    const double start = seconds();
    for (std::uint32_t i = 0; i < kPerRound; ++i) operation();
    return (seconds() - start) / kPerRound;
  };
  Figures fresh;
  Figures known;
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    const std::uint32_t first = round * kPerRound;
    fresh.ours.push_back(answer_all(first));
    const double exchanges = time_of([&] { curve.key_and_exchanges(); });
    const double signature = time_of([&] { curve.signature(); });
    fresh.limit.push_back(exchanges + signature);
    for (std::uint32_t i = 0; i < kPerRound; ++i) responder.close(first + i);
    known.ours.push_back(answer_all(first));
    known.limit.push_back(time_of([&] { curve.key_and_exchanges(); }));
  }
  MAGNETAR_CHECK(responder.answered() == 2 * kRounds * kPerRound);
  fresh.print("certificate not seen before",
              "X25519 of the base point (ephemeral key), 3 x X25519 (ee, se, es), Ed25519 "
              "verification of the certificate");
  known.print("certificate known",
              "X25519 of the base point (ephemeral key), 3 x X25519 (ee, se, es)");
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
  responder.look_at_all();
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
