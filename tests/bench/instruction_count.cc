// SPDX-License-Identifier: Apache-2.0
// The pipelines on fixed input, for callgrind to count: `instruction_count seal|open SESSIONS`.
// The cipher is left out: which of its many versions runs depends on the machine.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "dataplane/base/check.h"
#include "tests/bench/gateway.h"
#include "tests/bench/traffic.h"

namespace magnetar::bench {
namespace {

constexpr std::size_t kSlices = 40;

class NoCipher final : public Aead {
 public:
  [[nodiscard]] Cipher cipher() const override { return Cipher::kAes256Gcm; }
  void expand(const TransportKey&, AeadKey&) override {}
  void seal(std::span<AeadJob>) override {}
  void open(std::span<AeadJob> jobs) override {
    for (AeadJob& job : jobs) job.authentic = true;
  }
};

std::size_t run(bool seal, std::size_t sessions) {
  testing::ensure_eal();
  Gateway gateway(std::make_unique<NoCipher>(), sessions);
  const std::uint32_t size = 512;
  Traffic traffic(gateway, {&size, 1}, false);
  BenchPort& source = seal ? gateway.inside() : gateway.outside();
  const BenchPort& sink = seal ? gateway.outside() : gateway.inside();
  for (std::size_t slice = 0; slice < kSlices; ++slice) {
    if (seal) {
      traffic.make_plain(0);
    } else {
      traffic.make_sealed(0, Flaw::kNone);
    }
    source.load(traffic.mbufs(0));
    while (!source.empty()) gateway.run_once();
  }
  MAGNETAR_CHECK(sink.sent() == kSlices * traffic.packets());
  MAGNETAR_CHECK(gateway.adds_up());
  return sink.sent();
}

}  // namespace
}  // namespace magnetar::bench

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto sessions = static_cast<std::size_t>(std::atoi(argv[2]));
  std::printf("packets %zu\n", magnetar::bench::run(std::string_view(argv[1]) == "seal", sessions));
  return 0;
}
