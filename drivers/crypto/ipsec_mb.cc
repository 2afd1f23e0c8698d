// SPDX-License-Identifier: Apache-2.0
#include "drivers/crypto/ipsec_mb.h"

#include <cstring>

#include <intel-ipsec-mb.h>

#include "dataplane/base/check.h"
#include "dataplane/base/prefetch.h"
#include "dataplane/wire/header.h"

namespace magnetar {
namespace {

constexpr std::uint64_t kTag = wire::kTagSize;
constexpr std::uint64_t kNonce = 12;
static_assert(sizeof(gcm_key_data) <= AeadKey::kSize);

struct ManagerDeleter {
  void operator()(IMB_MGR* manager) const { free_mb_mgr(manager); }
};
using Manager = std::unique_ptr<IMB_MGR, ManagerDeleter>;

Manager make_manager() {
  Manager manager(alloc_mb_mgr(0));
  MAGNETAR_CHECK(manager != nullptr);
  init_mb_mgr_auto(manager.get(), nullptr);
  return manager;
}

const std::uint8_t* u8p(const std::byte* p) { return reinterpret_cast<const std::uint8_t*>(p); }
std::uint8_t* u8p(std::byte* p) { return reinterpret_cast<std::uint8_t*>(p); }

using Tag = std::array<std::byte, wire::kTagSize>;

// Constant time; a tag is 16 bytes.
bool same_tag(const Tag& computed, const std::byte* received) {
  Block16 a;
  Block16 b;
  std::memcpy(&a, computed.data(), sizeof(a));
  std::memcpy(&b, received, sizeof(b));
  const Block16 difference = a ^ b;
  return (difference[0] | difference[1]) == 0;
}

// Key schedules of other sessions are out of reach of the hardware's prefetchers.
void prefetch_key(std::span<const AeadJob> jobs, std::size_t job) {
  if (job < jobs.size() && jobs[job].key != jobs[job - 1].key) jobs[job].key->prefetch();
}

// Direct calls: the job and burst interfaces gain nothing for GCM (docs/performance.md).
class AesGcm final : public Aead {
 public:
  AesGcm() : manager_(make_manager()) {}
  [[nodiscard]] Cipher cipher() const override { return Cipher::kAes256Gcm; }

  void expand(const TransportKey& key, AeadKey& out) override {
    IMB_AES256_GCM_PRE(manager_.get(), key.reveal().data(), schedule(out));
  }

  void seal(std::span<AeadJob> jobs) override {
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      prefetch_key(jobs, i + kKeysAhead);
      AeadJob& job = jobs[i];
      prefetch(job.next);
      std::uint8_t* text = u8p(job.text);
      IMB_AES256_GCM_ENC(manager_.get(), schedule(*job.key), &scratch_, text, text, job.length,
                         nonce(job), u8p(job.aad()), AeadJob::kAad, u8p(job.tag()), kTag);
    }
  }

  void open(std::span<AeadJob> jobs) override {
    Tag computed;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      prefetch_key(jobs, i + kKeysAhead);
      AeadJob& job = jobs[i];
      prefetch(job.next);
      std::uint8_t* text = u8p(job.text);
      IMB_AES256_GCM_DEC(manager_.get(), schedule(*job.key), &scratch_, text, text, job.length,
                         nonce(job), u8p(job.aad()), AeadJob::kAad, u8p(computed.data()), kTag);
      job.authentic = same_tag(computed, job.tag());
    }
  }

 private:
  static const std::uint8_t* nonce(const AeadJob& job) {
    return reinterpret_cast<const std::uint8_t*>(&job.nonce);
  }
  static gcm_key_data* schedule(AeadKey& key) {
    return reinterpret_cast<gcm_key_data*>(key.fill());
  }
  static const gcm_key_data* schedule(const AeadKey& key) {
    return reinterpret_cast<const gcm_key_data*>(key.reveal());
  }

  Manager manager_;
  gcm_context_data scratch_{};
};

// The burst interface: several packets side by side in the vector lanes.
class ChaChaPoly final : public Aead {
 public:
  ChaChaPoly() : manager_(make_manager()) {}
  [[nodiscard]] Cipher cipher() const override { return Cipher::kChaCha20Poly1305; }

  void expand(const TransportKey& key, AeadKey& out) override {
    std::memcpy(out.fill(), key.reveal().data(), key.reveal().size());
  }

  void seal(std::span<AeadJob> jobs) override {
    run(jobs, IMB_DIR_ENCRYPT, [](AeadJob& job, std::size_t) { return job.tag(); });
  }

  void open(std::span<AeadJob> jobs) override {
    run(jobs, IMB_DIR_DECRYPT, [this](AeadJob&, std::size_t i) { return tags_[i].data(); });
  }

 private:
  static constexpr std::size_t kBatch = 32;

  template <typename TagOf>
  void run(std::span<AeadJob> jobs, IMB_CIPHER_DIRECTION direction, TagOf&& tag_of) {
    while (!jobs.empty()) {
      const auto batch = jobs.first(std::min(jobs.size(), kBatch));
      std::size_t submitted = 0;
      for (std::size_t i = 0; i < batch.size(); ++i) {
        IMB_JOB* job = IMB_GET_NEXT_JOB(manager_.get());
        describe(*job, batch[i], direction, tag_of(batch[i], i));
        submitted += IMB_SUBMIT_JOB_NOCHECK(manager_.get()) != nullptr ? 1 : 0;
        while (IMB_GET_COMPLETED_JOB(manager_.get()) != nullptr) ++submitted;
      }
      while (IMB_FLUSH_JOB(manager_.get()) != nullptr) ++submitted;
      MAGNETAR_DCHECK(submitted == batch.size());
      if (direction == IMB_DIR_DECRYPT) compare(batch);
      jobs = jobs.subspan(batch.size());
    }
  }

  static void describe(IMB_JOB& job, const AeadJob& from, IMB_CIPHER_DIRECTION direction,
                       std::byte* tag) {
    const bool encrypt = direction == IMB_DIR_ENCRYPT;
    prefetch(from.next);
    job.cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
    job.hash_alg = IMB_AUTH_CHACHA20_POLY1305;
    job.cipher_direction = direction;
    job.chain_order = encrypt ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
    job.enc_keys = from.key->reveal();
    job.dec_keys = from.key->reveal();
    job.key_len_in_bytes = 32;
    job.iv = reinterpret_cast<const std::uint8_t*>(&from.nonce);
    job.iv_len_in_bytes = kNonce;
    job.u.CHACHA20_POLY1305.aad = from.aad();
    job.u.CHACHA20_POLY1305.aad_len_in_bytes = AeadJob::kAad;
    job.src = u8p(from.text);
    job.dst = u8p(from.text);
    job.cipher_start_src_offset_in_bytes = 0;
    job.hash_start_src_offset_in_bytes = 0;
    job.msg_len_to_cipher_in_bytes = from.length;
    job.msg_len_to_hash_in_bytes = from.length;
    job.auth_tag_output = u8p(tag);
    job.auth_tag_output_len_in_bytes = kTag;
  }

  void compare(std::span<AeadJob> batch) {
    for (std::size_t i = 0; i < batch.size(); ++i)
      batch[i].authentic = same_tag(tags_[i], batch[i].tag());
  }

  Manager manager_;
  std::array<Tag, kBatch> tags_{};
};

}  // namespace

std::unique_ptr<Aead> make_ipsec_mb(Cipher cipher) {
  if (cipher == Cipher::kAes256Gcm) return std::make_unique<AesGcm>();
  return std::make_unique<ChaChaPoly>();
}

std::string ipsec_mb_version() { return imb_get_version_str(); }

}  // namespace magnetar
