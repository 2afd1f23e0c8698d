// SPDX-License-Identifier: Apache-2.0
#include "controlplane/pki/certificate.h"

#include <algorithm>

#include <sodium.h>

namespace magnetar::pki {

std::string Fingerprint::to_string() const {
  std::string text(bytes.size() * 2 + 1, '\0');  // sodium writes the end of the text too
  sodium_bin2hex(text.data(), text.size(), u8(ByteView(bytes)), bytes.size());
  text.pop_back();
  return text;
}

std::optional<Fingerprint> Fingerprint::parse(std::string_view text) {
  Fingerprint out;
  if (text.size() != out.bytes.size() * 2) return std::nullopt;
  std::size_t written = 0;
  const int failed = sodium_hex2bin(u8(MutableBytes(out.bytes)), out.bytes.size(), text.data(),
                                    text.size(), nullptr, &written, nullptr);
  if (failed != 0 || written != out.bytes.size()) return std::nullopt;
  return out;
}

std::vector<VpnAddr> CertificateFacts::overlay_addrs() const {
  std::vector<VpnAddr> addrs;
  addrs.reserve(networks.size());
  for (const Prefix& network : networks) {
    const VpnAddr addr{network.addr};
    if (std::ranges::find(addrs, addr) == addrs.end()) addrs.push_back(addr);
  }
  return addrs;
}

}  // namespace magnetar::pki
