// SPDX-License-Identifier: Apache-2.0
#include "controlplane/handshake/payload.h"

#include <limits>

#include <handshake.pb.h>

#include "controlplane/handshake/proto_reader.h"

namespace magnetar::handshake {
namespace {

// Field numbers of handshake.proto.
constexpr std::uint32_t kDetails = 1;
constexpr std::uint32_t kCertificate = 1;
constexpr std::uint32_t kInitiatorIndex = 2;
constexpr std::uint32_t kResponderIndex = 3;
constexpr std::uint32_t kTime = 5;
constexpr std::uint32_t kCertificateVersion = 8;

bool read_number(const ProtoField& field, std::uint32_t& to) {
  if (field.type != WireType::kVarint) return false;
  if (field.number_value > std::numeric_limits<std::uint32_t>::max()) return false;
  to = static_cast<std::uint32_t>(field.number_value);
  return true;
}

// False if the field is known and not what it should be.
bool read_details_field(const ProtoField& field, Payload& to) {
  switch (field.number) {
    case kCertificate:
      if (field.type != WireType::kBytes) return false;
      to.certificate = to_vector(field.bytes_value);
      return true;
    case kInitiatorIndex:
      return read_number(field, to.initiator_index);
    case kResponderIndex:
      return read_number(field, to.responder_index);
    case kTime:
      to.time_ns = field.number_value;
      return field.type == WireType::kVarint;
    case kCertificateVersion:
      return read_number(field, to.certificate_version);
    default:
      return true;
  }
}

bool read_details(ByteView details, Payload& to) {
  ProtoReader reader(details);
  while (const auto field = reader.next())
    if (!read_details_field(*field, to)) return false;
  return reader.at_end();
}

}  // namespace

Result<Payload, PayloadError> parse_payload(ByteView protobuf) {
  if (protobuf.empty()) return fail(PayloadError::kMalformed);
  Payload payload;
  ProtoReader reader(protobuf);
  while (const auto field = reader.next()) {
    if (field->number != kDetails) continue;
    if (field->type != WireType::kBytes || !read_details(field->bytes_value, payload))
      return fail(PayloadError::kMalformed);
  }
  if (!reader.at_end()) return fail(PayloadError::kMalformed);
  if (payload.certificate.empty()) return fail(PayloadError::kNoCertificate);
  return payload;
}

Bytes write_payload(const Payload& payload) {
  proto::Handshake message;
  proto::HandshakeDetails& details = *message.mutable_details();
  details.set_certificate(payload.certificate.data(), payload.certificate.size());
  details.set_initiator_index(payload.initiator_index);
  details.set_responder_index(payload.responder_index);
  details.set_time(payload.time_ns);
  details.set_certificate_version(payload.certificate_version);
  Bytes out(message.ByteSizeLong());
  message.SerializeWithCachedSizesToArray(u8(MutableBytes(out)));
  return out;
}

}  // namespace magnetar::handshake
