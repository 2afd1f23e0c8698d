// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/bare_cipher.h"

#include <array>
#include <cstring>

#include <intel-ipsec-mb.h>

#include "dataplane/base/check.h"

namespace magnetar::bench {
namespace {

constexpr std::size_t kNonces = 1024;

struct ManagerDeleter {
  void operator()(IMB_MGR* manager) const { free_mb_mgr(manager); }
};

struct alignas(16) Nonce {
  std::array<std::uint8_t, 16> bytes;
};

class Bare : public BareCipher {
 public:
  Bare() : manager_(alloc_mb_mgr(0)) {
    MAGNETAR_CHECK(manager_ != nullptr);
    init_mb_mgr_auto(manager_.get(), nullptr);
    for (std::size_t i = 0; i < kNonces; ++i) std::memcpy(&nonces_[i].bytes[4], &i, 8);
  }

 protected:
  std::unique_ptr<IMB_MGR, ManagerDeleter> manager_;
  std::array<Nonce, kNonces> nonces_{};
  alignas(64) std::array<std::uint8_t, 32> key_{1, 2, 3};
};

std::uint8_t* u8p(std::byte* p) { return reinterpret_cast<std::uint8_t*>(p); }

class BareAesGcm final : public Bare {
 public:
  BareAesGcm() { IMB_AES256_GCM_PRE(manager_.get(), key_.data(), &schedule_); }

  void run(Direction direction, std::span<const Buffer> buffers) override {
    std::size_t n = 0;
    for (const Buffer& buffer : buffers) {
      std::uint8_t* header = u8p(buffer.header);
      std::uint8_t* text = header + 16;
      const std::uint8_t* nonce = nonces_[n++ % kNonces].bytes.data();
      if (direction == Direction::kSeal) {
        IMB_AES256_GCM_ENC(manager_.get(), &schedule_, &scratch_, text, text, buffer.length, nonce,
                           header, 16, text + buffer.length, 16);
      } else {
        std::array<std::uint8_t, 16> tag;
        IMB_AES256_GCM_DEC(manager_.get(), &schedule_, &scratch_, text, text, buffer.length, nonce,
                           header, 16, tag.data(), 16);
      }
    }
  }

 private:
  gcm_key_data schedule_{};
  gcm_context_data scratch_{};
};

class BareChaChaPoly final : public Bare {
 public:
  void run(Direction direction, std::span<const Buffer> buffers) override {
    std::size_t n = 0;
    for (const Buffer& buffer : buffers) {
      IMB_JOB* job = IMB_GET_NEXT_JOB(manager_.get());
      const bool seal = direction == Direction::kSeal;
      std::uint8_t* header = u8p(buffer.header);
      job->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
      job->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
      job->cipher_direction = seal ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
      job->chain_order = seal ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
      job->enc_keys = job->dec_keys = key_.data();
      job->key_len_in_bytes = 32;
      job->iv = nonces_[n++ % kNonces].bytes.data();
      job->iv_len_in_bytes = 12;
      job->u.CHACHA20_POLY1305.aad = header;
      job->u.CHACHA20_POLY1305.aad_len_in_bytes = 16;
      job->src = job->dst = header + 16;
      job->cipher_start_src_offset_in_bytes = job->hash_start_src_offset_in_bytes = 0;
      job->msg_len_to_cipher_in_bytes = job->msg_len_to_hash_in_bytes = buffer.length;
      job->auth_tag_output = seal ? header + 16 + buffer.length : tags_[n % tags_.size()].data();
      job->auth_tag_output_len_in_bytes = 16;
      IMB_SUBMIT_JOB_NOCHECK(manager_.get());
    }
    while (IMB_FLUSH_JOB(manager_.get()) != nullptr) {
    }
  }

 private:
  std::array<std::array<std::uint8_t, 16>, 256> tags_{};
};

}  // namespace

std::unique_ptr<BareCipher> make_bare_cipher(Cipher cipher) {
  if (cipher == Cipher::kAes256Gcm) return std::make_unique<BareAesGcm>();
  return std::make_unique<BareChaChaPoly>();
}

}  // namespace magnetar::bench
