// SPDX-License-Identifier: Apache-2.0
// Text from outside (names in certificates, file names) made safe for log lines and terminals.
// Pure and header-only, so that the pure control plane may include it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace magnetar::ops {

struct Utf8Char {
  std::size_t size = 0;  // 0: the text does not begin with a whole, shortest-form character
  std::uint32_t code = 0;
};

// The first character of `text`, by RFC 3629: no overlong forms, no surrogates.
[[nodiscard]] constexpr Utf8Char first_utf8_char(std::string_view text) {
  if (text.empty()) return {};
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead < 0x80) return {1, lead};
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return {};
  std::uint32_t code = lead & (0xffU >> (size + 1));
  for (const char c : text.substr(1, size - 1)) {
    const auto next = static_cast<unsigned char>(c);
    if ((next & 0xc0U) != 0x80) return {};
    code = (code << 6U) | (next & 0x3fU);
  }
  constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (code < kSmallest[size] || code > 0x10ffff || surrogate) return {};
  return {size, code};
}

namespace detail {

// Appends what may not appear as it is: `\n`, `\t`, `\r` or `\xNN` for each byte.
inline void append_escaped(std::string& out, std::string_view bytes) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '\n':
        out += "\\n";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\r':
        out += "\\r";
        break;
      default:
        out += "\\x";
        out += kHex[byte >> 4U];
        out += kHex[byte & 0xfU];
    }
  }
}

constexpr bool is_control(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

}  // namespace detail

// `text` without control characters (they drive terminals and split log lines) and always valid
// UTF-8: whatever else is in it appears as an escape.
[[nodiscard]] inline std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Char c = first_utf8_char(text);
    const std::size_t size = c.size == 0 ? 1 : c.size;
    if (c.size == 0 || detail::is_control(c.code)) {
      detail::append_escaped(out, text.substr(0, size));
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(size);
  }
  return out;
}

// `text` as the value of a logfmt pair: bare when that is safe, else quoted, with quotes and
// backslashes escaped and control characters as in printable().
[[nodiscard]] inline std::string logfmt_value(std::string_view text) {
  std::string out;
  bool quote = text.empty();
  while (!text.empty()) {
    const Utf8Char c = first_utf8_char(text);
    const std::size_t size = c.size == 0 ? 1 : c.size;
    const bool bad = c.size == 0 || detail::is_control(c.code);
    const bool escaped = c.code == '"' || c.code == '\\';
    quote = quote || bad || escaped || c.code == ' ' || c.code == '=';
    if (bad) {
      detail::append_escaped(out, text.substr(0, size));
    } else {
      if (escaped) out += '\\';
      out += text.substr(0, size);
    }
    text.remove_prefix(size);
  }
  return quote ? '"' + out + '"' : out;
}

}  // namespace magnetar::ops
