// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/cert/encrypted_key.h"

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include <argon2.h>
#include <encrypted_key.pb.h>
#include <openssl/evp.h>
#include <unistd.h>

#include "controlplane/cli/cert/secret_text.h"
#include "controlplane/pki/pem.h"
#include "dataplane/base/check.h"
#include "dataplane/base/secret.h"

namespace magnetar::cli::cert {
namespace {

constexpr std::string_view kAlgorithm = "AES-256-GCM";
constexpr std::size_t kSaltSize = 32;
constexpr std::size_t kLeastSalt = 16;
constexpr std::size_t kNonceSize = 12;
constexpr std::size_t kTagSize = 16;
constexpr std::size_t kLargestKey = 64;
constexpr std::array kCurves{Curve::k25519, Curve::kP256};

using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

std::string_view text_of(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};  // NOLINT
}

std::uint64_t machine_kib() {
  return static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}

Result<Secret<32>, Problem> derive(std::string_view passphrase, ByteView salt, const Argon2& cost) {
  if (cost.memory_kib > machine_kib())
    return failed("the passphrase wants " + std::to_string(cost.memory_kib >> 10U) +
                  " MiB of memory (-argon-memory when the key was made) and this machine has " +
                  std::to_string(machine_kib() >> 10U) + " MiB");
  Secret<32> key;
  const int error = ::argon2id_hash_raw(cost.iterations, cost.memory_kib, cost.parallelism,
                                        passphrase.data(), passphrase.size(), salt.data(),
                                        salt.size(), key.fill().data(), Secret<32>::kSize);
  if (error != ARGON2_OK)
    return failed(std::string("Argon2 of the passphrase: ") + ::argon2_error_message(error));
  return key;
}

// nonce || sealed || tag
Bytes seal(const Secret<32>& key, ByteView nonce, ByteView plain) {
  const CipherContext context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  Bytes out = to_vector(nonce);
  out.resize(kNonceSize + plain.size() + kTagSize);
  std::uint8_t* const sealed = u8(MutableBytes(out)) + kNonceSize;
  int size = 0;
  const bool done = context != nullptr &&
                    EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr,
                                       u8(ByteView(key.reveal())), u8(nonce)) == 1 &&
                    EVP_EncryptUpdate(context.get(), sealed, &size, u8(plain),
                                      static_cast<int>(plain.size())) == 1 &&
                    EVP_EncryptFinal_ex(context.get(), sealed + size, &size) == 1 &&
                    EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTagSize,
                                        sealed + plain.size()) == 1;
  MAGNETAR_CHECK(done);  // no input makes this fail
  return out;
}

// The number of bytes put into `to`; none: not sealed with this key.
std::optional<std::size_t> open(const Secret<32>& key, ByteView sealed, Secret<kLargestKey>& to) {
  if (sealed.size() < kNonceSize + kTagSize) return std::nullopt;
  const std::size_t size = sealed.size() - kNonceSize - kTagSize;
  if (size > kLargestKey) return std::nullopt;
  Bytes tag = to_vector(sealed.last(kTagSize));
  const CipherContext context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  int written = 0;
  const bool good =
      context != nullptr &&
      EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, u8(ByteView(key.reveal())),
                         u8(sealed)) == 1 &&
      EVP_DecryptUpdate(context.get(), u8(MutableBytes(to.fill())), &written,
                        u8(sealed.subspan(kNonceSize)), static_cast<int>(size)) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagSize, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(context.get(), u8(MutableBytes(to.fill())) + size, &written) == 1;
  return good ? std::optional(size) : std::nullopt;
}

Result<Argon2, Problem> cost_of(const proto::EncryptionMetadata& metadata) {
  const proto::Argon2Parameters& argon2 = metadata.argon2();
  const auto refused = [](const std::string& what) { return failed("the encrypted key: " + what); };
  if (metadata.algorithm() != kAlgorithm)
    return refused("its cipher is not " + std::string(kAlgorithm));
  if (argon2.version() != ARGON2_VERSION_13) return refused("its Argon2 is not of version 19");
  if (argon2.salt().size() < kLeastSalt) return refused("its salt is shorter than 16 bytes");
  if (argon2.memory() == 0 || argon2.iterations() == 0 || argon2.parallelism() == 0 ||
      argon2.parallelism() > kMostParallelism)
    return refused("its Argon2 parameters are out of range");
  return Argon2{argon2.memory(), argon2.iterations(), argon2.parallelism()};
}

Result<crypto::SigningKey, Problem> decrypt_block(Curve curve, ByteView content,
                                                  std::string_view passphrase) {
  proto::EncryptedData data;
  if (!data.ParseFromArray(content.data(), static_cast<int>(content.size())))
    return failed("the encrypted key: damaged");
  const auto cost = cost_of(data.metadata());
  if (!cost) return fail(cost.error());
  const auto key = derive(passphrase, as_bytes(data.metadata().argon2().salt()), *cost);
  if (!key) return fail(key.error());
  Secret<kLargestKey> plain;
  const auto size = open(*key, as_bytes(data.ciphertext()), plain);
  if (!size) return failed("the encrypted key: the passphrase is wrong, or the file is damaged");
  auto signing_key = crypto::SigningKey::from(curve, plain.reveal().first(*size));
  if (!signing_key) return failed("the encrypted key: what it holds is not a private key of a CA");
  return *std::move(signing_key);
}

}  // namespace

Result<std::string, Problem> encrypt(const crypto::SigningKey& key, std::string_view passphrase,
                                     const Argon2& cost, RandomSource& random) {
  std::array<std::byte, kSaltSize> salt;
  std::array<std::byte, kNonceSize> nonce;
  random.fill(salt);
  random.fill(nonce);
  const auto cipher_key = derive(passphrase, salt, cost);
  if (!cipher_key) return fail(cipher_key.error());

  proto::EncryptedData data;
  data.mutable_metadata()->set_algorithm(std::string(kAlgorithm));
  proto::Argon2Parameters& argon2 = *data.mutable_metadata()->mutable_argon2();
  argon2.set_version(ARGON2_VERSION_13);
  argon2.set_memory(cost.memory_kib);
  argon2.set_iterations(cost.iterations);
  argon2.set_parallelism(cost.parallelism);
  argon2.set_salt(std::string(text_of(salt)));
  data.set_ciphertext(std::string(text_of(seal(*cipher_key, nonce, key.reveal()))));
  return pki::write_pem(pki::encrypted_signing_key_banner(key.curve()),
                        as_bytes(data.SerializeAsString()));
}

bool is_encrypted(std::string_view pem) {
  for (const Curve curve : kCurves)
    if (pem.find(pki::encrypted_signing_key_banner(curve)) != std::string_view::npos) return true;
  return false;
}

Result<crypto::SigningKey, Problem> decrypt(std::string_view pem, std::string_view passphrase) {
  const auto blocks = pki::parse_pem(pem);
  if (!blocks) return failed(blocks.error().what);
  for (const pki::PemBlock& block : *blocks) {
    for (const Curve curve : kCurves)
      if (block.banner == pki::encrypted_signing_key_banner(curve))
        return decrypt_block(curve, block.content, passphrase);
  }
  return failed("holds no encrypted private key of a CA");
}

}  // namespace magnetar::cli::cert
