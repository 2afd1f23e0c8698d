// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/cert/values.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

namespace magnetar::cli::cert {
namespace {

constexpr std::string_view kDurationHelp = "; a number and a unit, as in 8760h, 1h30m or 90s";

struct Unit {
  std::string_view name;
  std::int64_t ns;
};
constexpr std::array kUnits{
    // the longer names first
    Unit{"ns", 1},
    Unit{"us", 1'000},
    Unit{"\u00b5s", 1'000},
    Unit{"\u03bcs", 1'000},
    Unit{"ms", 1'000'000},
    Unit{"s", 1'000'000'000},
    Unit{"m", 60'000'000'000},
    Unit{"h", 3'600'000'000'000},
};

std::string trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(kBlanks) - first + 1));
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Takes "12", "12.5", ".5" or "12." off the front; none: there is no digit.
std::optional<std::string_view> take_decimal(std::string_view& rest) {
  std::size_t size = 0;
  std::size_t digits = 0;
  bool point = false;
  for (; size < rest.size(); ++size) {
    if (is_digit(rest[size])) {
      ++digits;
    } else if (rest[size] == '.' && !point) {
      point = true;
    } else {
      break;
    }
  }
  if (digits == 0) return std::nullopt;
  const std::string_view number = rest.substr(0, size);
  rest.remove_prefix(size);
  return number;
}

std::optional<std::int64_t> take_unit(std::string_view& rest) {
  for (const Unit& unit : kUnits) {
    if (!rest.starts_with(unit.name)) continue;
    rest.remove_prefix(unit.name.size());
    return unit.ns;
  }
  return std::nullopt;
}

// Wide enough for every nanosecond that Duration has.
using Wide = long double;

std::optional<Wide> nanoseconds_in(std::string_view rest) {
  Wide total = 0;
  while (!rest.empty()) {
    const auto number = take_decimal(rest);
    const auto unit = number ? take_unit(rest) : std::nullopt;
    if (!unit) return std::nullopt;
    total += std::strtold(std::string(*number).c_str(), nullptr) * static_cast<Wide>(*unit);
  }
  return total;
}

// An IPv4 address within an IPv6 one is neither: no certificate holds it.
bool is_mapped(std::string_view text, const Prefix& prefix) {
  return prefix.addr.is_v4() && text.find(':') != std::string_view::npos;
}

}  // namespace

Result<Duration, Problem> duration_of(std::string_view flag, std::string_view text) {
  const std::string name = "-" + std::string(flag);
  if (text == "0") return Duration::zero();
  const bool negative = text.starts_with('-');
  const std::string_view amount = text.substr(negative || text.starts_with('+') ? 1 : 0);
  const auto ns = nanoseconds_in(amount);
  if (!ns || amount.empty())
    return misused(name + ": '" + std::string(text) + "' is no duration" +
                   std::string(kDurationHelp));
  if (negative) return misused(name + " cannot be negative" + std::string(kDurationHelp));
  if (*ns >= static_cast<Wide>(std::numeric_limits<std::int64_t>::max()))
    return misused(name + ": '" + std::string(text) + "' is longer than 292 years");
  return Duration(static_cast<std::int64_t>(*ns));
}

std::vector<std::string> list_of(std::string_view text) {
  std::vector<std::string> list;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    if (std::string entry = trimmed(text.substr(0, comma)); !entry.empty())
      list.push_back(std::move(entry));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return list;
}

Result<std::vector<Prefix>, Problem> networks_of(std::string_view flag, std::string_view text) {
  std::vector<Prefix> networks;
  for (const std::string& entry : list_of(text)) {
    const auto prefix = Prefix::parse(entry);
    if (!prefix || is_mapped(entry, *prefix))
      return misused("-" + std::string(flag) + ": '" + entry +
                     "' is not an address with a prefix length, as in 10.42.0.1/16 or fd00::1/64");
    networks.push_back(*prefix);
  }
  return networks;
}

Result<Curve, Problem> curve_of(std::string_view text) {
  constexpr std::array<std::string_view, 4> kNames25519{"25519", "X25519", "Curve25519",
                                                        "CURVE25519"};
  for (const std::string_view name : kNames25519)
    if (text == name) return Curve::k25519;
  if (text == "P256") return Curve::kP256;
  return misused("-curve: there is no curve '" + std::string(text) + "'; 25519 or P256");
}

Result<std::uint32_t, Problem> number_of(std::string_view flag, std::string_view text,
                                         std::uint32_t least, std::uint32_t most) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stopped != end || number < least || number > most)
    return misused("-" + std::string(flag) + ": '" + std::string(text) + "' is not a number from " +
                   std::to_string(least) + " to " + std::to_string(most));
  return static_cast<std::uint32_t>(number);
}

WallTime full_seconds(WallTime time) { return std::chrono::floor<std::chrono::seconds>(time); }

Result<Validity, Problem> validity_from(WallTime from, Duration lifetime) {
  if (lifetime > WallTime::max() - from)
    return misused("-duration: it would reach beyond the year 2262; a shorter one is needed");
  return Validity{full_seconds(from), full_seconds(from + lifetime)};
}

}  // namespace magnetar::cli::cert
