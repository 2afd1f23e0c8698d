// SPDX-License-Identifier: Apache-2.0
// Protobuf one field at a time. The library's parser takes a known field of the wrong wire type for
// an unknown one and cuts numbers to their field's width; Nebula refuses both in a handshake.
#pragma once

#include <cstdint>
#include <optional>

#include "dataplane/base/bytes.h"

namespace magnetar::handshake {

enum class WireType : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct ProtoField {
  std::uint32_t number = 0;
  WireType type = WireType::kVarint;
  std::uint64_t number_value = 0;  // of kVarint
  ByteView bytes_value;            // of the others, within the message
};

class ProtoReader {
 public:
  explicit ProtoReader(ByteView message) : rest_(message) {}

  // The next field. None at the end and at the first byte that is not protobuf, where the reader
  // then stays. Groups, which no Nebula message ever had, are not protobuf to it.
  [[nodiscard]] std::optional<ProtoField> next();
  [[nodiscard]] bool at_end() const { return rest_.empty() && !broken_; }

 private:
  std::optional<ProtoField> read_field();
  std::optional<std::uint64_t> read_varint();
  std::optional<ByteView> read_bytes(std::uint64_t size);

  ByteView rest_;
  bool broken_ = false;
};

}  // namespace magnetar::handshake
