// SPDX-License-Identifier: Apache-2.0
// Recorded bytes for tests: hex and the files of tests/vectors (needs `vectors_arg`).
#pragma once

#include <fstream>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>
#include <sodium.h>

#include "dataplane/base/bytes.h"

namespace magnetar::testing {

// Blanks and line ends are ignored; anything else that is not hex throws.
inline Bytes from_hex(std::string_view hex) {
  Bytes out(hex.size() / 2 + 1);
  std::size_t size = 0;
  const int failed = sodium_hex2bin(u8(MutableBytes(out)), out.size(), hex.data(), hex.size(),
                                    " \n", &size, nullptr);
  if (failed != 0) throw std::invalid_argument("not hex");
  out.resize(size);
  return out;
}

inline std::string to_hex(ByteView bytes) {
  std::string text(bytes.size() * 2 + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), u8(bytes), bytes.size());
  text.pop_back();
  return text;
}

// Exactly N bytes, for keys.
template <std::size_t N>
std::array<std::byte, N> array_from_hex(std::string_view hex) {
  const Bytes bytes = from_hex(hex);
  if (bytes.size() != N) throw std::invalid_argument("another size");
  std::array<std::byte, N> out;
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

#ifdef MAGNETAR_VECTORS
inline nlohmann::json load_vectors(const std::string& file) {
  std::ifstream in(std::string(MAGNETAR_VECTORS "/") + file);
  if (!in) throw std::runtime_error("cannot open " + file);
  return nlohmann::json::parse(in);
}
#endif

}  // namespace magnetar::testing
