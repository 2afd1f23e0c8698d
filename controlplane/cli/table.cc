// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/table.h"

#include <algorithm>
#include <utility>

#include "controlplane/ops/logfmt.h"
#include "dataplane/base/check.h"

namespace magnetar::cli {

std::size_t display_width(std::string_view text) {
  // Every byte but those that continue a UTF-8 character.
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80; }));
}

void Table::add(const std::vector<std::string>& cells) {
  MAGNETAR_CHECK(cells.size() == columns_.size());
  std::vector<std::string> row;
  for (const std::string& cell : cells) row.push_back(ops::printable(cell));
  rows_.push_back(std::move(row));
}

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = display_width(columns_[i].title);
    for (const auto& row : rows_) width = std::max(width, display_width(row[i]));
    widths.push_back(width);
  }
  std::string out;
  const auto add_line = [&](auto&& cell_of) {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string& cell = cell_of(i);
      const std::string pad(widths[i] - display_width(cell), ' ');
      if (i > 0) out += "  ";
      out += columns_[i].align == Align::kRight ? pad + cell : cell + pad;
    }
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  };
  add_line([&](std::size_t i) -> const std::string& { return columns_[i].title; });
  for (const auto& row : rows_)
    add_line([&](std::size_t i) -> const std::string& { return row[i]; });
  return out;
}

}  // namespace magnetar::cli
