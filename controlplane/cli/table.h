// SPDX-License-Identifier: Apache-2.0
// Rows in aligned columns. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace magnetar::cli {

// Columns a terminal needs for `text`, one for a character.
[[nodiscard]] std::size_t display_width(std::string_view text);

class Table {
 public:
  enum class Align : std::uint8_t { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // One cell a column. Control characters in a cell are shown, not obeyed.
  void add(const std::vector<std::string>& cells);
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  // Title line and rows, each ending in a newline and none in spaces.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace magnetar::cli
