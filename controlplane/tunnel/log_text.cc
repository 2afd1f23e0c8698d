// SPDX-License-Identifier: Apache-2.0
#include "controlplane/tunnel/log_text.h"

namespace magnetar {
namespace {

std::string of_tunnel(const Tunnel& tunnel) {
  return " peer=" + tunnel.overlay_addrs.front().to_string() +
         " name=" + quoted(tunnel.peer->name) + " remote=" + tunnel.remote_addr.to_string() +
         " local_index=" + std::to_string(tunnel.local.raw()) +
         " remote_index=" + std::to_string(tunnel.remote.raw());
}

}  // namespace

std::string quoted(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\x";
      out += kHex[byte >> 4U];
      out += kHex[byte & 0xfU];
    } else {
      out += c;
    }
  }
  return out + '"';
}

LogEvent log_tunnel_up(const Tunnel& tunnel) {
  return {LogLevel::kInfo, "event=\"tunnel up\"" + of_tunnel(tunnel) +
                               (tunnel.initiator() ? " role=initiator" : " role=responder")};
}

LogEvent log_tunnel_down(const Tunnel& tunnel, std::string_view why) {
  return {LogLevel::kInfo,
          "event=\"tunnel down\"" + of_tunnel(tunnel) + " reason=" + std::string(why)};
}

LogEvent log_path_mtu(const Tunnel& tunnel, std::uint16_t mtu) {
  return {LogLevel::kInfo,
          "event=\"path mtu\"" + of_tunnel(tunnel) + " mtu=" + std::to_string(mtu)};
}

LogEvent log_refused(const UnderlayAddr& from, const pki::Certificate& certificate, Refusal why) {
  return {LogLevel::kDebug, "event=\"handshake refused\" from=" + from.to_string() +
                                " name=" + quoted(certificate.name) +
                                " fingerprint=" + certificate.fingerprint.to_string() +
                                " reason=" + std::string(label(why))};
}

}  // namespace magnetar
