// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdio>
#include <string_view>

#include "controlplane/ops/logfmt.h"

namespace magnetar::cli {

// Line by line, each with the program's name: an error may be a list, and a line may hold text from
// a peer or a file.
inline void print_error(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::fprintf(stderr, "magnetar: %s\n", ops::printable(text.substr(0, end)).c_str());
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
}

}  // namespace magnetar::cli
