// SPDX-License-Identifier: Apache-2.0
#include "controlplane/handshake/proto_reader.h"

namespace magnetar::handshake {
namespace {

constexpr std::uint64_t kMaxFieldNumber = (1U << 29U) - 1;
constexpr unsigned kMaxVarintSize = 10;

}  // namespace

std::optional<ProtoField> ProtoReader::next() {
  if (rest_.empty() || broken_) return std::nullopt;
  auto field = read_field();
  broken_ = !field;
  return field;
}

std::optional<ProtoField> ProtoReader::read_field() {
  const auto tag = read_varint();
  if (!tag) return std::nullopt;
  const std::uint64_t number = *tag >> 3U;
  if (number == 0 || number > kMaxFieldNumber) return std::nullopt;
  ProtoField field;
  field.number = static_cast<std::uint32_t>(number);
  field.type = WireType{static_cast<std::uint8_t>(*tag & 7U)};
  std::optional<std::uint64_t> size;
  switch (field.type) {
    case WireType::kVarint: {
      const auto value = read_varint();
      if (!value) return std::nullopt;
      field.number_value = *value;
      return field;
    }
    case WireType::kFixed64:
      size = 8;
      break;
    case WireType::kBytes:
      size = read_varint();
      break;
    case WireType::kFixed32:
      size = 4;
      break;
  }
  const auto bytes = size ? read_bytes(*size) : std::nullopt;
  if (!bytes) return std::nullopt;
  field.bytes_value = *bytes;
  return field;
}

std::optional<std::uint64_t> ProtoReader::read_varint() {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < kMaxVarintSize && i < rest_.size(); ++i) {
    const auto byte = std::to_integer<std::uint64_t>(rest_[i]);
    if (i == kMaxVarintSize - 1 && byte > 1) return std::nullopt;  // more than 64 bits
    value |= (byte & 0x7fU) << (7U * i);
    if (byte < 0x80U) {
      rest_ = rest_.subspan(i + 1);
      return value;
    }
  }
  return std::nullopt;
}

std::optional<ByteView> ProtoReader::read_bytes(std::uint64_t size) {
  if (size > rest_.size()) return std::nullopt;
  const ByteView bytes = rest_.first(size);
  rest_ = rest_.subspan(size);
  return bytes;
}

}  // namespace magnetar::handshake
