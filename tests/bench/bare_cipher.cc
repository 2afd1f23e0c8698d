// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/bare_cipher.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <intel-ipsec-mb.h>
#include <rte_prefetch.h>

#include "dataplane/base/check.h"

namespace magnetar::bench {
namespace {

constexpr std::size_t kNonces = 256;
constexpr std::size_t kAhead = 2;   // packets, of the prefetching calls
constexpr std::size_t kBatch = 32;  // jobs in a burst

struct ManagerDeleter {
  void operator()(IMB_MGR* manager) const { free_mb_mgr(manager); }
};

struct alignas(16) Nonce {
  std::array<std::uint8_t, 16> bytes;
};

std::uint8_t* u8p(std::byte* p) { return reinterpret_cast<std::uint8_t*>(p); }

class Bare : public BareCipher {
 public:
  explicit Bare(std::string name) : name_(std::move(name)), manager_(alloc_mb_mgr(0)) {
    MAGNETAR_CHECK(manager_ != nullptr);
    init_mb_mgr_auto(manager_.get(), nullptr);
    for (std::size_t i = 0; i < kNonces; ++i) std::memcpy(&nonces_[i].bytes[4], &i, 8);
  }
  [[nodiscard]] std::string name() const override { return name_; }

 protected:
  [[nodiscard]] const std::uint8_t* nonce(std::size_t n) const {
    return nonces_[n % kNonces].bytes.data();
  }
  IMB_MGR* manager() { return manager_.get(); }

 private:
  std::string name_;
  std::unique_ptr<IMB_MGR, ManagerDeleter> manager_;
  std::array<Nonce, kNonces> nonces_{};
};

template <std::size_t kSize>
void prefetch(const std::byte* from) {
  for (std::size_t at = 0; at < kSize; at += 64) rte_prefetch0(from + at);
}

// Calls straight into the cipher, packet by packet.
template <typename Call>
class Direct final : public Bare {
 public:
  explicit Direct(bool ahead) : Bare(ahead ? "direct, prefetched" : "direct"), ahead_(ahead) {}
  void run(Direction direction, std::span<const Buffer> buffers) override {
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      if (ahead_ && i + kAhead < buffers.size()) {
        const Buffer& next = buffers[i + kAhead];
        prefetch<AeadKey::kSize>(next.key->reveal());
        prefetch<256>(next.header);
      }
      call_(manager(), direction, buffers[i], nonce(i));
    }
  }

 private:
  bool ahead_;
  Call call_;
};

struct AesGcmCall {
  gcm_context_data scratch{};
  void operator()(IMB_MGR* manager, Direction direction, const Buffer& buffer,
                  const std::uint8_t* nonce) {
    std::uint8_t* header = u8p(buffer.header);
    std::uint8_t* text = header + 16;
    const auto* key = reinterpret_cast<const gcm_key_data*>(buffer.key->reveal());
    if (direction == Direction::kSeal) {
      IMB_AES256_GCM_ENC(manager, key, &scratch, text, text, buffer.length, nonce, header, 16,
                         text + buffer.length, 16);
    } else {
      std::array<std::uint8_t, 16> tag;
      IMB_AES256_GCM_DEC(manager, key, &scratch, text, text, buffer.length, nonce, header, 16,
                         tag.data(), 16);
    }
  }
};

struct ChaChaPolyCall {
  chacha20_poly1305_context_data scratch{};
  void operator()(IMB_MGR* manager, Direction direction, const Buffer& buffer,
                  const std::uint8_t* nonce) {
    std::uint8_t* header = u8p(buffer.header);
    std::uint8_t* text = header + 16;
    const std::byte* key = buffer.key->reveal();
    IMB_CHACHA20_POLY1305_INIT(manager, key, &scratch, nonce, header, 16);
    std::array<std::uint8_t, 16> tag;
    if (direction == Direction::kSeal) {
      IMB_CHACHA20_POLY1305_ENC_UPDATE(manager, key, &scratch, text, text, buffer.length);
      IMB_CHACHA20_POLY1305_ENC_FINALIZE(manager, &scratch, text + buffer.length, 16);
    } else {
      IMB_CHACHA20_POLY1305_DEC_UPDATE(manager, key, &scratch, text, text, buffer.length);
      IMB_CHACHA20_POLY1305_DEC_FINALIZE(manager, &scratch, tag.data(), 16);
    }
  }
};

// What the job and the burst interface share: the description of a packet.
class Jobs : public Bare {
 public:
  Jobs(Cipher cipher, std::string name) : Bare(std::move(name)), cipher_(cipher) {}

 protected:
  void describe(IMB_JOB& job, Direction direction, const Buffer& buffer, std::size_t n) {
    const bool seal = direction == Direction::kSeal;
    std::uint8_t* header = u8p(buffer.header);
    job.cipher_direction = seal ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
    job.chain_order = seal ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
    job.enc_keys = job.dec_keys = buffer.key->reveal();
    job.key_len_in_bytes = 32;
    job.iv = nonce(n);
    job.iv_len_in_bytes = 12;
    if (cipher_ == Cipher::kAes256Gcm) {
      job.cipher_mode = IMB_CIPHER_GCM;
      job.hash_alg = IMB_AUTH_AES_GMAC;
      job.u.GCM.aad = header;
      job.u.GCM.aad_len_in_bytes = 16;
    } else {
      job.cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
      job.hash_alg = IMB_AUTH_CHACHA20_POLY1305;
      job.u.CHACHA20_POLY1305.aad = header;
      job.u.CHACHA20_POLY1305.aad_len_in_bytes = 16;
    }
    job.src = job.dst = header + 16;
    job.cipher_start_src_offset_in_bytes = job.hash_start_src_offset_in_bytes = 0;
    job.msg_len_to_cipher_in_bytes = job.msg_len_to_hash_in_bytes = buffer.length;
    job.auth_tag_output = seal ? header + 16 + buffer.length : tags_[n % tags_.size()].data();
    job.auth_tag_output_len_in_bytes = 16;
  }

 private:
  Cipher cipher_;
  std::array<std::array<std::uint8_t, 16>, 256> tags_{};
};

class JobByJob final : public Jobs {
 public:
  explicit JobByJob(Cipher cipher) : Jobs(cipher, "jobs") {}
  void run(Direction direction, std::span<const Buffer> buffers) override {
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      describe(*IMB_GET_NEXT_JOB(manager()), direction, buffers[i], i);
      IMB_SUBMIT_JOB_NOCHECK(manager());
    }
    while (IMB_FLUSH_JOB(manager()) != nullptr) {
    }
  }
};

class Bursts final : public Jobs {
 public:
  explicit Bursts(Cipher cipher) : Jobs(cipher, "bursts") {}
  void run(Direction direction, std::span<const Buffer> buffers) override {
    std::array<IMB_JOB*, kBatch> jobs;
    for (std::size_t at = 0; at < buffers.size(); at += kBatch) {
      const auto count = static_cast<std::uint32_t>(std::min(kBatch, buffers.size() - at));
      MAGNETAR_CHECK(IMB_GET_NEXT_BURST(manager(), count, jobs.data()) == count);
      for (std::size_t i = 0; i < count; ++i)
        describe(*jobs[i], direction, buffers[at + i], at + i);
      std::uint32_t done = IMB_SUBMIT_BURST_NOCHECK(manager(), count, jobs.data());
      while (done < count) done += IMB_FLUSH_BURST(manager(), count - done, jobs.data());
    }
  }
};

}  // namespace

std::vector<std::unique_ptr<BareCipher>> make_bare_ciphers(Cipher cipher) {
  std::vector<std::unique_ptr<BareCipher>> all;
  for (const bool ahead : {false, true}) {
    if (cipher == Cipher::kAes256Gcm) {
      all.push_back(std::make_unique<Direct<AesGcmCall>>(ahead));
    } else {
      all.push_back(std::make_unique<Direct<ChaChaPolyCall>>(ahead));
    }
  }
  all.push_back(std::make_unique<JobByJob>(cipher));
  all.push_back(std::make_unique<Bursts>(cipher));
  return all;
}

}  // namespace magnetar::bench
