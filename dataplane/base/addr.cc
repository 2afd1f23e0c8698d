// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/addr.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>

namespace magnetar {
namespace {

template <typename T>
std::optional<T> parse_number(std::string_view text, T limit) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (value > limit) return std::nullopt;
  return value;
}

// Bit i of the address counted from the first bit of its family.
bool same_leading_bits(const IpAddr& a, const IpAddr& b, unsigned bits) {
  const ByteView left = a.network_bytes();
  const ByteView right = b.network_bytes();
  const std::size_t whole = bits / 8;
  if (!std::ranges::equal(left.first(whole), right.first(whole))) return false;
  const unsigned rest = bits % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<std::byte>(0xffU << (8U - rest));
  return (left[whole] & mask) == (right[whole] & mask);
}

}  // namespace

std::optional<IpAddr> IpAddr::parse(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof(buffer) || text.find('\0') != std::string_view::npos)
    return std::nullopt;  // inet_pton would stop at the zero byte
  std::memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = '\0';
  std::array<std::byte, 16> out{};
  if (inet_pton(AF_INET, buffer, out.data()) == 1) return v4(std::span(out).first<4>());
  if (inet_pton(AF_INET6, buffer, out.data()) == 1) return v6(out);
  return std::nullopt;
}

bool IpAddr::is_multicast() const {
  return is_v4() ? (v4_value() >> 28U) == 0xe : bytes_[0] == std::byte{0xff};
}

bool IpAddr::is_loopback() const {
  if (is_v4()) return (v4_value() >> 24U) == 127;
  IpAddr one;
  one.bytes_[15] = std::byte{1};
  return *this == one;
}

bool IpAddr::is_link_local() const {
  if (is_v4()) return (v4_value() >> 16U) == 0xa9fe;
  return bytes_[0] == std::byte{0xfe} && (bytes_[1] & std::byte{0xc0}) == std::byte{0x80};
}

std::string IpAddr::to_string() const {
  char text[INET6_ADDRSTRLEN];
  const int family = is_v4() ? AF_INET : AF_INET6;
  return inet_ntop(family, network_bytes().data(), text, sizeof(text));
}

std::optional<UnderlayAddr> UnderlayAddr::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto ip = IpAddr::parse(host);
  const auto port = parse_number<std::uint32_t>(text.substr(colon + 1), 65535);
  if (!ip || !port || *port == 0 || (host.find(':') != std::string_view::npos) != bracketed)
    return std::nullopt;
  return UnderlayAddr{*ip, static_cast<std::uint16_t>(*port)};
}

std::string UnderlayAddr::to_string() const {
  const std::string host = ip.to_string();
  return (ip.is_v4() ? host : "[" + host + "]") + ":" + std::to_string(port);
}

std::optional<Prefix> Prefix::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto addr = IpAddr::parse(text.substr(0, slash));
  if (!addr) return std::nullopt;
  const auto length = parse_number<std::uint32_t>(text.substr(slash + 1), addr->bits());
  if (!length) return std::nullopt;
  return Prefix{*addr, static_cast<std::uint8_t>(*length)};
}

bool Prefix::contains(const IpAddr& other) const {
  return addr.is_v4() == other.is_v4() && same_leading_bits(addr, other, length);
}

bool Prefix::contains(const Prefix& other) const {
  return length <= other.length && contains(other.addr);
}

Prefix Prefix::masked() const {
  std::array<std::byte, 16> bytes{};
  std::ranges::copy(addr.network_bytes(), bytes.begin());
  const std::size_t size = addr.bits() / 8;
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t kept = length > 8 * i ? std::min<std::size_t>(length - 8 * i, 8) : 0;
    bytes[i] &= static_cast<std::byte>(0xff00U >> kept);
  }
  return {addr.is_v4() ? IpAddr::v4(std::span(bytes).first<4>()) : IpAddr::v6(bytes), length};
}

std::string Prefix::to_string() const { return addr.to_string() + "/" + std::to_string(length); }

std::string to_string(const MacAddr& mac) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  for (const std::byte b : mac) {
    if (!text.empty()) text += ':';
    text += kHex[std::to_integer<unsigned>(b >> 4U)];
    text += kHex[std::to_integer<unsigned>(b & std::byte{0xf})];
  }
  return text;
}

}  // namespace magnetar
