// SPDX-License-Identifier: Apache-2.0
#include "controlplane/pki/der.h"

#include "dataplane/base/check.h"

namespace magnetar::pki {
namespace {

constexpr std::uint8_t kTagOfManyBytes = 0x1f;  // in the low five bits
constexpr std::uint8_t kLongForm = 0x80;        // and how many bytes follow
constexpr std::size_t kMostContent = 0xffff;

std::uint8_t number(std::byte byte) { return std::to_integer<std::uint8_t>(byte); }

}  // namespace

std::optional<DerReader::Element> DerReader::read() const {
  if (rest_.size() < 2 || (number(rest_[0]) & kTagOfManyBytes) == kTagOfManyBytes)
    return std::nullopt;
  std::size_t header = 2;
  std::size_t length = number(rest_[1]);
  if (length == (kLongForm | 1U) && rest_.size() >= 3) {
    header = 3;
    length = number(rest_[2]);
    if (length < kLongForm) return std::nullopt;
  } else if (length == (kLongForm | 2U) && rest_.size() >= 4) {
    header = 4;
    length = load_be<std::uint16_t>(rest_.subspan<2, 2>());
    if (length <= 0xff) return std::nullopt;
  } else if (length >= kLongForm) {
    return std::nullopt;
  }
  if (length > rest_.size() - header) return std::nullopt;
  return Element{rest_.first(header + length), rest_.subspan(header, length)};
}

bool DerReader::next_has(std::uint8_t tag) const {
  return !rest_.empty() && number(rest_[0]) == tag;
}

std::optional<ByteView> DerReader::take(std::uint8_t tag) {
  const auto element = next_has(tag) ? read() : std::nullopt;
  if (!element) return std::nullopt;
  pass(*element);
  return element->content;
}

std::optional<ByteView> DerReader::take_whole(std::uint8_t tag) {
  const auto element = next_has(tag) ? read() : std::nullopt;
  if (!element) return std::nullopt;
  pass(*element);
  return element->whole;
}

bool DerReader::skip() {
  const auto element = read();
  if (element) pass(*element);
  return element.has_value();
}

std::optional<std::int64_t> der_integer(ByteView content) {
  if (content.empty() || content.size() > sizeof(std::int64_t)) return std::nullopt;
  const bool negative = (number(content[0]) & 0x80U) != 0;
  if (content.size() > 1) {
    const std::uint8_t filler = negative ? 0xff : 0x00;
    const bool second_negative = (number(content[1]) & 0x80U) != 0;
    if (number(content[0]) == filler && second_negative == negative) return std::nullopt;
  }
  std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
  for (const std::byte byte : content) value = value << 8U | number(byte);
  return static_cast<std::int64_t>(value);
}

void append_der(Bytes& to, std::uint8_t tag, ByteView content) {
  MAGNETAR_CHECK(content.size() <= kMostContent);
  const auto low = static_cast<std::byte>(content.size() & 0xffU);
  to.push_back(std::byte{tag});
  if (content.size() > 0xff) {
    to.insert(to.end(),
              {std::byte{kLongForm | 2U}, static_cast<std::byte>(content.size() >> 8U), low});
  } else if (content.size() >= kLongForm) {
    to.insert(to.end(), {std::byte{kLongForm | 1U}, low});
  } else {
    to.push_back(low);
  }
  append(to, content);
}

void append_der_integer(Bytes& to, std::uint8_t tag, std::int64_t value) {
  std::array<std::byte, sizeof(value)> bytes;
  store_be<std::uint64_t>(bytes, static_cast<std::uint64_t>(value));
  std::size_t size = 1;
  while (der_integer(ByteView(bytes).last(size)) != value) ++size;
  append_der(to, tag, ByteView(bytes).last(size));
}

}  // namespace magnetar::pki
