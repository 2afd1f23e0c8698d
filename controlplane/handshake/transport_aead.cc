// SPDX-License-Identifier: Apache-2.0
#include "controlplane/handshake/transport_aead.h"

#include "controlplane/handshake/aead.h"

namespace magnetar::handshake {

using noise::NoiseError;
using wire::Header;

Bytes seal_packet(Cipher cipher, const TransportKey& key, const Header& header,
                  ByteView plaintext) {
  std::array<std::byte, Header::kSize> aad;
  wire::write_header(aad, header);
  Bytes packet = to_vector(aad);
  aead_seal(cipher, key, header.counter.raw(), aad, plaintext, packet);
  return packet;
}

Result<Bytes, NoiseError> open_packet(Cipher cipher, const TransportKey& key, ByteView packet) {
  if (packet.size() < Header::kSize + wire::kTagSize) return fail(NoiseError::kTooShort);
  const auto header = packet.first<Header::kSize>();  // as received: reserved bytes are covered too
  const auto counter = load_be<std::uint64_t>(header.subspan<8, 8>());
  Bytes plaintext;
  if (!aead_open(cipher, key, counter, header, packet.subspan(Header::kSize), plaintext))
    return fail(NoiseError::kBadTag);
  return plaintext;
}

}  // namespace magnetar::handshake
