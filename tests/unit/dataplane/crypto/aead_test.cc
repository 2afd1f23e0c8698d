// SPDX-License-Identifier: Apache-2.0
// The data path's cipher against the worked example of the protocol, and against libsodium.
#include <random>

#include <gtest/gtest.h>

#include "drivers/crypto/ipsec_mb.h"
#include "tests/support/data_plane.h"

namespace magnetar {
namespace {

using testing::key_of;

AeadJob job_for(Cipher cipher, const AeadKey& key, Bytes& packet, std::uint64_t counter) {
  AeadJob job{};
  store_block(&job.nonce, make_nonce(cipher, counter));
  job.key = &key;
  job.text = packet.data() + 16;
  job.length = static_cast<std::uint32_t>(packet.size() - 32);
  return job;
}

Bytes reference_seal(Cipher cipher, const TransportKey& key, std::uint64_t counter,
                     const Bytes& packet) {
  std::array<std::byte, 16> nonce{};
  const Block16 block = make_nonce(cipher, counter);
  std::memcpy(nonce.data(), &block, sizeof(block));
  Bytes out(packet.begin(), packet.begin() + 16);
  out.resize(packet.size());
  unsigned long long size = 0;
  const auto seal = cipher == Cipher::kAes256Gcm ? crypto_aead_aes256gcm_encrypt
                                                 : crypto_aead_chacha20poly1305_ietf_encrypt;
  seal(u8(MutableBytes(out)) + 16, &size, u8(ByteView(packet)) + 16, packet.size() - 32,
       u8(ByteView(packet)), 16, nullptr, u8(ByteView(nonce)), u8(key.reveal()));
  return out;
}

class AeadTest : public ::testing::TestWithParam<Cipher> {};

TEST_P(AeadTest, SealsAsLibsodiumDoesAndOpensItAgain) {
  const auto aead = make_ipsec_mb(GetParam());
  std::mt19937_64 random(1);
  for (const std::size_t count : {1U, 2U, 7U, 32U, 33U, 64U}) {
    AeadKey expanded;
    const TransportKey key = key_of(static_cast<std::uint8_t>(count));
    aead->expand(key, expanded);
    std::vector<Bytes> packets;
    std::vector<Bytes> sealed;
    std::vector<AeadJob> jobs;
    for (std::size_t i = 0; i < count; ++i) {
      packets.emplace_back(32 + random() % 9000);
      for (std::byte& b : packets.back()) b = static_cast<std::byte>(random());
    }
    for (std::size_t i = 0; i < count; ++i) {
      sealed.push_back(reference_seal(GetParam(), key, i + (1ULL << 40U), packets[i]));
      jobs.push_back(job_for(GetParam(), expanded, packets[i], i + (1ULL << 40U)));
    }
    const std::vector<Bytes> plain = packets;
    aead->seal(jobs);
    EXPECT_EQ(packets, sealed);
    aead->open(jobs);
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_TRUE(jobs[i].authentic);
      EXPECT_TRUE(std::equal(plain[i].begin(), plain[i].end() - 16, packets[i].begin()));
    }
  }
}

TEST_P(AeadTest, AnyFlippedBitIsForged) {
  const auto aead = make_ipsec_mb(GetParam());
  AeadKey expanded;
  aead->expand(key_of(9), expanded);
  Bytes packet(32 + 21, std::byte{0x5a});
  AeadJob job = job_for(GetParam(), expanded, packet, 77);
  aead->seal({&job, 1});
  const Bytes sealed = packet;
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    packet = sealed;
    packet[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    job = job_for(GetParam(), expanded, packet, 77);
    job.authentic = true;
    aead->open({&job, 1});
    EXPECT_FALSE(job.authentic) << bit;
  }
}

INSTANTIATE_TEST_SUITE_P(Ciphers, AeadTest,
                         ::testing::Values(Cipher::kAes256Gcm, Cipher::kChaCha20Poly1305),
                         [](const auto& param) { return std::string(cipher_name(param.param)); });

Bytes from_hex(const std::string& hex) {
  Bytes out(hex.size() / 2);
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::byte>(std::stoul(hex.substr(2 * i, 2), nullptr, 16));
  return out;
}

// Keys and packets of protocol/wire.md section 9.
TEST(AeadVectors, OpensTheWorkedExample) {
  struct Case {
    Cipher cipher;
    const char* key;
    const char* packet;
  };
  const Case cases[] = {
      {Cipher::kAes256Gcm, "5de737f58e0e08861ac8950053876632080f2505b0b405ee3eb04814f2014a4e",
       "11000000556677880000000000000003f2ff0e65fd9bef99d3ad98251a16221d4550becb1539be4dce347ca5daf"
       "5"
       "1316"},
      {Cipher::kChaCha20Poly1305,
       "afc35375e97bc5356be92f512193d0597f249cc2c10e58d99240416cb098e80a",
       "1100000055667788000000000000000352e23b9463d52297fa67d28a361056daa6331b7833e23ae5e1205c3d0d7"
       "6"
       "1a52"},
  };
  for (const Case& c : cases) {
    const auto aead = make_ipsec_mb(c.cipher);
    const Bytes key = from_hex(c.key);
    AeadKey expanded;
    aead->expand(TransportKey(std::span<const std::byte, 32>(key.data(), 32)), expanded);
    Bytes packet = from_hex(c.packet);
    AeadJob job = job_for(c.cipher, expanded, packet, 3);
    aead->open({&job, 1});
    EXPECT_TRUE(job.authentic);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(packet.data()) + 16, 16),
              "nebula-data-test");
  }
}

}  // namespace
}  // namespace magnetar
