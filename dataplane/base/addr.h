// SPDX-License-Identifier: Apache-2.0
// Addresses: one type for IPv4 and IPv6, with strong types for the two worlds they live in.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "dataplane/base/bytes.h"

namespace magnetar {

// An IPv4 or IPv6 address. Kept as 16 bytes, IPv4 in its mapped form (::ffff:a.b.c.d), so that
// hashes and tables have one key size. A mapped IPv6 address is the IPv4 address (wire.md 8.4).
// Orders IPv4 before IPv6, then by address bytes, as Nebula does.
class IpAddr {
 public:
  static constexpr std::size_t kSize = 16;

  constexpr IpAddr() = default;  // :: (unspecified)
  [[nodiscard]] static constexpr IpAddr v4(std::uint32_t host_order) {
    IpAddr addr;
    addr.bytes_[10] = addr.bytes_[11] = std::byte{0xff};
    store_be<std::uint32_t>(std::span(addr.bytes_).last<4>(), host_order);
    return addr;
  }
  [[nodiscard]] static constexpr IpAddr v4(std::span<const std::byte, 4> network_order) {
    return v4(load_be<std::uint32_t>(network_order));
  }
  [[nodiscard]] static constexpr IpAddr v6(std::span<const std::byte, 16> network_order) {
    IpAddr addr;
    for (std::size_t i = 0; i < kSize; ++i) addr.bytes_[i] = network_order[i];
    return addr;
  }
  // Dotted quad or RFC 4291 text, no zone, no prefix length.
  [[nodiscard]] static std::optional<IpAddr> parse(std::string_view text);

  [[nodiscard]] constexpr bool is_v4() const {
    for (std::size_t i = 0; i < 10; ++i)
      if (bytes_[i] != std::byte{0}) return false;
    return bytes_[10] == std::byte{0xff} && bytes_[11] == std::byte{0xff};
  }
  [[nodiscard]] constexpr bool is_unspecified() const {
    return is_v4() ? v4_value() == 0 : *this == IpAddr{};
  }
  [[nodiscard]] bool is_multicast() const;
  [[nodiscard]] bool is_loopback() const;
  [[nodiscard]] bool is_link_local() const;
  // Host byte order; only for is_v4().
  [[nodiscard]] constexpr std::uint32_t v4_value() const {
    return load_be<std::uint32_t>(std::span(bytes_).last<4>());
  }
  // Always 16, IPv4 mapped: the key of tables.
  [[nodiscard]] constexpr std::span<const std::byte, kSize> mapped() const { return bytes_; }
  // 4 or 16 bytes, network byte order.
  [[nodiscard]] ByteView network_bytes() const {
    return is_v4() ? ByteView(bytes_).last(4) : ByteView(bytes_);
  }
  [[nodiscard]] constexpr unsigned bits() const { return is_v4() ? 32 : 128; }
  [[nodiscard]] std::string to_string() const;

  friend constexpr bool operator==(const IpAddr&, const IpAddr&) = default;
  friend constexpr std::strong_ordering operator<=>(const IpAddr& a, const IpAddr& b) {
    if (a.is_v4() != b.is_v4())
      return a.is_v4() ? std::strong_ordering::less : std::strong_ordering::greater;
    return a.bytes_ <=> b.bytes_;
  }

 private:
  std::array<std::byte, kSize> bytes_{};
};

// Who a peer is: an address inside the overlay network, from its certificate.
struct VpnAddr {
  IpAddr ip;
  [[nodiscard]] std::string to_string() const { return ip.to_string(); }
  friend constexpr auto operator<=>(const VpnAddr&, const VpnAddr&) = default;
};

// Where a peer is: address and UDP port (host byte order) on the underlay.
struct UnderlayAddr {
  IpAddr ip;
  std::uint16_t port = 0;
  // "192.0.2.1:4242" or "[2001:db8::1]:4242"; the port is required.
  [[nodiscard]] static std::optional<UnderlayAddr> parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
  friend constexpr auto operator<=>(const UnderlayAddr&, const UnderlayAddr&) = default;
};

// An address with a prefix length; host bits are kept (a host's overlay address and its network).
struct Prefix {
  IpAddr addr;
  std::uint8_t length = 0;  // 0..32 or 0..128
  // "10.42.0.1/16"; the length is required and must fit the family.
  [[nodiscard]] static std::optional<Prefix> parse(std::string_view text);
  [[nodiscard]] bool contains(const IpAddr& other) const;  // same family and inside
  [[nodiscard]] bool contains(const Prefix& other) const;  // every address of `other` is inside
  [[nodiscard]] Prefix masked() const;                     // host bits cleared
  [[nodiscard]] std::string to_string() const;
  friend constexpr auto operator<=>(const Prefix&, const Prefix&) = default;
};

using MacAddr = std::array<std::byte, 6>;
[[nodiscard]] std::string to_string(const MacAddr& mac);

}  // namespace magnetar

template <>
struct std::hash<magnetar::IpAddr> {
  std::size_t operator()(const magnetar::IpAddr& addr) const noexcept {
    const auto bytes = addr.mapped();
    return std::hash<std::string_view>{}(
        std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));  // NOLINT
  }
};
template <>
struct std::hash<magnetar::VpnAddr> {
  std::size_t operator()(const magnetar::VpnAddr& addr) const noexcept {
    return std::hash<magnetar::IpAddr>{}(addr.ip);
  }
};
template <>
struct std::hash<magnetar::UnderlayAddr> {
  std::size_t operator()(const magnetar::UnderlayAddr& addr) const noexcept {
    return std::hash<magnetar::IpAddr>{}(addr.ip) * 31 + addr.port;
  }
};
