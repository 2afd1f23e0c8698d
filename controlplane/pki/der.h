// SPDX-License-Identifier: Apache-2.0
// As much DER as version 2 certificates are made of: elements with one-byte tags and lengths of at
// most two bytes. Nothing is allocated and nothing copied while reading; what is read lies within
// the bytes that were given.
#pragma once

#include <cstdint>
#include <optional>

#include "dataplane/base/bytes.h"

namespace magnetar::pki {

class DerReader {
 public:
  explicit DerReader(ByteView content) : rest_(content) {}

  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] bool next_has(std::uint8_t tag) const;

  // The content of the next element. None, and the reader stays where it is, when there is none,
  // when it has another tag, and when it is not DER: its length must be written in the fewest bytes
  // possible and must not go past the end.
  [[nodiscard]] std::optional<ByteView> take(std::uint8_t tag);
  // The same, with tag and length.
  [[nodiscard]] std::optional<ByteView> take_whole(std::uint8_t tag);
  // Past one element of whatever tag.
  [[nodiscard]] bool skip();

 private:
  struct Element {
    ByteView whole;
    ByteView content;
  };
  [[nodiscard]] std::optional<Element> read() const;
  void pass(const Element& element) { rest_ = rest_.subspan(element.whole.size()); }

  ByteView rest_;
};

// The content of an INTEGER: two's complement in the fewest bytes possible, at most eight.
[[nodiscard]] std::optional<std::int64_t> der_integer(ByteView content);

// Appends an element; `content` is shorter than 65536 bytes and lies not within `to`.
void append_der(Bytes& to, std::uint8_t tag, ByteView content);
void append_der_integer(Bytes& to, std::uint8_t tag, std::int64_t value);

}  // namespace magnetar::pki
