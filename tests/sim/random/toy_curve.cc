// SPDX-License-Identifier: Apache-2.0
// Ten thousand seeds of an hour would spend three quarters of their time on curve arithmetic, which
// has tests of its own. Here the linker (--wrap) gives key agreement to a group of numbers modulo a
// prime of 61 bits: as commutative as X25519, a hundred times as fast, and no secret to anybody.
// Signatures are verified once each. Everything else is as in the daemon.
#include <cstdint>
#include <cstring>
#include <string>
#include <unordered_map>

#include <sodium.h>

namespace {

constexpr std::uint64_t kPrime = (std::uint64_t{1} << 61U) - 1;
constexpr std::uint64_t kGenerator = 37;  // of the whole group

__extension__ using Wide = unsigned __int128;

std::uint64_t power(std::uint64_t base, std::uint64_t exponent) {
  std::uint64_t result = 1;
  for (; exponent != 0; exponent >>= 1U) {
    if ((exponent & 1U) != 0) result = static_cast<std::uint64_t>(Wide{result} * base % kPrime);
    base = static_cast<std::uint64_t>(Wide{base} * base % kPrime);
  }
  return result;
}

std::uint64_t load(const unsigned char* from) {
  std::uint64_t number = 0;
  std::memcpy(&number, from, sizeof number);
  return number;
}

int store(std::uint64_t number, unsigned char* to) {
  std::memset(to, 0, crypto_scalarmult_BYTES);
  std::memcpy(to, &number, sizeof number);
  return number <= 1 ? -1 : 0;  // as libsodium refuses a point of low order
}

}  // namespace

extern "C" {

int __real_crypto_sign_verify_detached(const unsigned char* sig, const unsigned char* m,
                                       unsigned long long size, const unsigned char* pk);

int __wrap_crypto_scalarmult(unsigned char* q, const unsigned char* n, const unsigned char* p) {
  return store(power(load(p) % kPrime, load(n)), q);
}

int __wrap_crypto_scalarmult_base(unsigned char* q, const unsigned char* n) {
  return store(power(kGenerator, load(n)), q);
}

int __wrap_crypto_sign_verify_detached(const unsigned char* sig, const unsigned char* m,
                                       unsigned long long size, const unsigned char* pk) {
  static std::unordered_map<std::string, int> known;
  std::string key(reinterpret_cast<const char*>(sig), crypto_sign_BYTES);
  key.append(reinterpret_cast<const char*>(pk), crypto_sign_PUBLICKEYBYTES);
  key.append(reinterpret_cast<const char*>(m), size);
  const auto [at, fresh] = known.try_emplace(std::move(key), 0);
  if (fresh) at->second = __real_crypto_sign_verify_detached(sig, m, size, pk);
  return at->second;
}
}
