// SPDX-License-Identifier: Apache-2.0
// A text of any length that may hold a key or a passphrase, and wipes itself. Cannot be copied,
// streamed or formatted; `reveal` is the word to look for in an audit, as with Secret<N>.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sodium.h>

namespace magnetar::cli::cert {

class SecretText {
 public:
  SecretText() = default;
  explicit SecretText(std::string_view text) : text_(text.begin(), text.end()) {}
  // Wipes the text it takes over.
  explicit SecretText(std::string&& text) : SecretText(std::string_view(text)) {
    sodium_memzero(text.data(), text.size());
    text.clear();
  }
  ~SecretText() { wipe(); }
  SecretText(SecretText&& other) noexcept = default;  // a vector's: the bytes stay where they are
  SecretText& operator=(SecretText&& other) noexcept {
    if (this != &other) {
      wipe();
      text_ = std::move(other.text_);
    }
    return *this;
  }

  [[nodiscard]] std::string_view reveal() const { return {text_.data(), text_.size()}; }
  [[nodiscard]] bool empty() const { return text_.empty(); }

  // Adds to the end; no byte is left behind where the text was before.
  void append(std::string_view more) {
    std::vector<char> longer(text_.size() + more.size());
    std::ranges::copy(more, std::ranges::copy(text_, longer.begin()).out);
    wipe();
    text_ = std::move(longer);
  }

 private:
  void wipe() { sodium_memzero(text_.data(), text_.size()); }

  std::vector<char> text_;
};

}  // namespace magnetar::cli::cert
