// SPDX-License-Identifier: Apache-2.0
// The text of a small file. It may hold a private key, so it wipes itself.
#pragma once

#include <filesystem>
#include <string>

#include <sodium.h>
#include <sys/types.h>

#include "dataplane/base/result.h"

namespace magnetar::config {

class FileText {
 public:
  FileText() = default;
  FileText(std::string text, mode_t permissions)
      : text_(std::move(text)), permissions_(permissions) {}
  ~FileText() { wipe(); }
  FileText(FileText&& other) noexcept
      : text_(std::move(other.text_)), permissions_(other.permissions_) {
    other.wipe();
  }
  FileText& operator=(FileText&&) = delete;

  [[nodiscard]] const std::string& text() const { return text_; }
  // The permission bits of the file it came from; 0 for text that came from elsewhere.
  [[nodiscard]] mode_t permissions() const { return permissions_; }

 private:
  void wipe() { sodium_memzero(text_.data(), text_.size()); }

  std::string text_;
  mode_t permissions_ = 0;
};

// Reads a regular file of at most a mebibyte; the error is a text for an operator. A device or a
// pipe is refused before it is opened: opening one may block or have effects.
[[nodiscard]] Result<FileText, std::string> read_file(const std::filesystem::path& path);

}  // namespace magnetar::config
