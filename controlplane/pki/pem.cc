// SPDX-License-Identifier: Apache-2.0
#include "controlplane/pki/pem.h"

#include <optional>
#include <utility>

#include <sodium.h>

#include "controlplane/crypto/key_agreement.h"
#include "controlplane/pki/codec.h"
#include "controlplane/pki/codec_v1.h"
#include "controlplane/pki/codec_v2.h"

namespace magnetar::pki {
namespace {

constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kEnd = "-----END ";
constexpr std::string_view kDashes = "-----";
constexpr std::array kCurves{Curve::k25519, Curve::kP256};
constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::size_t kLineLength = 64;

// Takes the first line off `rest`, without its line end and trailing blanks.
std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  const std::size_t last = line.find_last_not_of(kBlanks);
  return line.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

// The banner of a line "-----BEGIN banner-----" (or END).
std::optional<std::string_view> banner_of(std::string_view line, std::string_view opening) {
  if (!line.starts_with(opening) || !line.ends_with(kDashes)) return std::nullopt;
  if (line.size() < opening.size() + kDashes.size()) return std::nullopt;
  return line.substr(opening.size(), line.size() - opening.size() - kDashes.size());
}

std::optional<Bytes> from_base64(std::string_view text) {
  Bytes content(text.size() / 4 * 3 + 3);
  std::size_t size = 0;
  const int failed =
      sodium_base642bin(u8(MutableBytes(content)), content.size(), text.data(), text.size(),
                        kBlanks.data(), &size, nullptr, sodium_base64_VARIANT_ORIGINAL);
  if (failed != 0) return std::nullopt;
  content.resize(size);  // in place: no second copy of a key is left behind
  return content;
}

// The block whose BEGIN line was just taken off `rest`.
Result<PemBlock, DecodeError> take_block(std::string_view banner, std::string_view& rest) {
  const char* const start = rest.data();
  while (!rest.empty()) {
    const std::string_view line = take_line(rest);
    if (!line.starts_with(kDashes)) continue;
    if (banner_of(line, kEnd) != banner) break;
    auto content = from_base64({start, static_cast<std::size_t>(line.data() - start)});
    if (!content) return fail(DecodeError{"block \"" + std::string(banner) + "\" is not base64"});
    return PemBlock{std::string(banner), *std::move(content)};
  }
  return fail(DecodeError{"block \"" + std::string(banner) + "\" does not end"});
}

std::string banners_of(const std::vector<PemBlock>& blocks) {
  std::string text;
  for (const PemBlock& block : blocks) text += (text.empty() ? "\"" : ", \"") + block.banner + "\"";
  return text.empty() ? "no PEM block" : text;
}

// The first block that `banner_for` some curve asks for, read by `read(curve, content)`.
template <typename T, typename Read>
Result<T, DecodeError> key_among(const std::vector<PemBlock>& blocks,
                                 std::string_view (*banner_for)(Curve), Read&& read) {
  for (const PemBlock& block : blocks) {
    for (const Curve curve : kCurves)
      if (block.banner == banner_for(curve)) return read(curve, ByteView(block.content));
  }
  return fail(DecodeError{"holds " + banners_of(blocks) + ", not \"" +
                          std::string(banner_for(Curve::k25519)) + "\" or \"" +
                          std::string(banner_for(Curve::kP256)) + "\""});
}

// The same of a text whose blocks are wiped afterwards.
template <typename T, typename Read>
Result<T, DecodeError> key_from(std::string_view text, std::string_view (*banner_for)(Curve),
                                Read&& read) {
  auto blocks = parse_pem(text);
  if (!blocks) return fail(std::move(blocks).error());
  auto key = key_among<T>(*blocks, banner_for, read);
  for (PemBlock& block : *blocks) sodium_memzero(block.content.data(), block.content.size());
  return key;
}

Result<HostKey, DecodeError> host_key(Curve curve, ByteView content) {
  if (content.size() != StaticPrivateKey::kSize)
    return fail(DecodeError{"a private key that is not 32 bytes long"});
  HostKey key{curve, StaticPrivateKey(content.first<StaticPrivateKey::kSize>())};
  if (!crypto::key_agreement(curve).is_private_key(key.secret))
    return fail(DecodeError{"a number that is no private key of P256"});
  return key;
}

Result<crypto::SigningKey, DecodeError> signing_key(Curve curve, ByteView content) {
  auto key = crypto::SigningKey::from(curve, content);
  if (!key) return fail(DecodeError{"not a private key of a CA"});
  return *std::move(key);
}

Result<PublicKey, DecodeError> public_key(Curve curve, ByteView content) {
  const auto key = PublicKey::from(curve, content);
  if (!key) return fail(DecodeError{"a public key of the wrong length"});
  return *key;
}

Result<Certificate, DecodeError> certificate_of(const PemBlock& block) {
  if (block.banner == kCertificateBanner) return decode_v1(block.content);
  if (block.banner == kCertificateV2Banner) return decode_v2(block.content);
  return fail(DecodeError{"not a certificate"});
}

}  // namespace

Result<std::vector<PemBlock>, DecodeError> parse_pem(std::string_view text) {
  std::vector<PemBlock> blocks;
  while (!text.empty()) {
    const auto banner = banner_of(take_line(text), kBegin);
    if (!banner) continue;
    auto block = take_block(*banner, text);
    if (!block) return fail(std::move(block).error());
    blocks.push_back(*std::move(block));
  }
  return blocks;
}

std::string write_pem(std::string_view banner, ByteView content) {
  constexpr int kVariant = sodium_base64_VARIANT_ORIGINAL;
  std::string encoded(sodium_base64_encoded_len(content.size(), kVariant), '\0');
  sodium_bin2base64(encoded.data(), encoded.size(), u8(content), content.size(), kVariant);
  encoded.pop_back();  // the end of the text, which sodium writes and counts
  const std::string name(banner);
  std::string text;
  // It may hold a key: no copy is left where a shorter text was.
  text.reserve(encoded.size() + encoded.size() / kLineLength + 2 * name.size() + 64);
  text.append("-----BEGIN ").append(name).append("-----\n");
  for (std::size_t at = 0; at < encoded.size(); at += kLineLength)
    text.append(encoded, at, kLineLength).push_back('\n');
  sodium_memzero(encoded.data(), encoded.size());
  text.append("-----END ").append(name).append("-----\n");
  return text;
}

Result<std::vector<Certificate>, DecodeError> certificates_from_pem(std::string_view text) {
  const auto blocks = parse_pem(text);
  if (!blocks) return fail(blocks.error());
  if (blocks->empty()) return fail(DecodeError{"holds no PEM block"});
  std::vector<Certificate> certificates;
  for (const PemBlock& block : *blocks) {
    auto certificate = certificate_of(block);
    if (!certificate)
      return fail(DecodeError{"block \"" + block.banner + "\": " + certificate.error().what});
    certificates.push_back(*std::move(certificate));
  }
  return certificates;
}

Result<HostKey, DecodeError> private_key_from_pem(std::string_view text) {
  return key_from<HostKey>(text, private_key_banner, host_key);
}

Result<crypto::SigningKey, DecodeError> signing_key_from_pem(std::string_view text) {
  return key_from<crypto::SigningKey>(text, signing_key_banner, signing_key);
}

Result<PublicKey, DecodeError> public_key_from_pem(std::string_view text) {
  return key_from<PublicKey>(text, public_key_banner, public_key);
}

std::string to_pem(const Certificate& certificate) {
  return write_pem(certificate.version == 2 ? kCertificateV2Banner : kCertificateBanner,
                   encode(certificate));
}

std::string to_pem(const HostKey& key) {
  return write_pem(private_key_banner(key.curve), key.secret.reveal());
}

std::string to_pem(const crypto::SigningKey& key) {
  return write_pem(signing_key_banner(key.curve()), key.reveal());
}

std::string to_pem(const PublicKey& host_key) {
  return write_pem(public_key_banner(host_key.curve()), host_key);
}

std::string_view private_key_banner(Curve curve) {
  return curve == Curve::kP256 ? "NEBULA P256 PRIVATE KEY" : "NEBULA X25519 PRIVATE KEY";
}

std::string_view public_key_banner(Curve curve) {
  return curve == Curve::kP256 ? "NEBULA P256 PUBLIC KEY" : "NEBULA X25519 PUBLIC KEY";
}

std::string_view signing_key_banner(Curve curve) {
  return curve == Curve::kP256 ? "NEBULA ECDSA P256 PRIVATE KEY" : "NEBULA ED25519 PRIVATE KEY";
}

std::string_view encrypted_signing_key_banner(Curve curve) {
  return curve == Curve::kP256 ? "NEBULA ECDSA P256 ENCRYPTED PRIVATE KEY"
                               : "NEBULA ED25519 ENCRYPTED PRIVATE KEY";
}

}  // namespace magnetar::pki
