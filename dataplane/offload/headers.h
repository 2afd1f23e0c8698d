// SPDX-License-Identifier: Apache-2.0
// Places in IP, TCP and UDP headers that segmenting and coalescing look at and write.
#pragma once

#include <cstddef>
#include <cstdint>

namespace magnetar::offload {

inline constexpr std::uint8_t kProtocolTcp = 6;
inline constexpr std::uint8_t kProtocolUdp = 17;

namespace ipv4 {
inline constexpr std::size_t kSize = 20;  // without options
inline constexpr std::size_t kTos = 1;
inline constexpr std::size_t kTotalLength = 2;
inline constexpr std::size_t kId = 4;
inline constexpr std::size_t kFragment = 6;
inline constexpr std::size_t kTtl = 8;
inline constexpr std::size_t kProtocol = 9;
inline constexpr std::size_t kChecksum = 10;
inline constexpr std::size_t kAddresses = 12;  // two of 4 bytes
inline constexpr std::uint16_t kDontFragment = 0x4000;
}  // namespace ipv4

namespace ipv6 {
inline constexpr std::size_t kSize = 40;
inline constexpr std::size_t kPayloadLength = 4;
inline constexpr std::size_t kNextHeader = 6;
inline constexpr std::size_t kHopLimit = 7;
inline constexpr std::size_t kAddresses = 8;  // two of 16 bytes
}  // namespace ipv6

namespace tcp {
inline constexpr std::size_t kSize = 20;  // without options
inline constexpr std::size_t kSequence = 4;
inline constexpr std::size_t kAck = 8;
inline constexpr std::size_t kDataOffset = 12;
inline constexpr std::size_t kFlags = 13;
inline constexpr std::size_t kWindow = 14;
inline constexpr std::size_t kChecksum = 16;
inline constexpr std::size_t kUrgent = 18;
inline constexpr std::uint8_t kFin = 0x01;
inline constexpr std::uint8_t kSyn = 0x02;
inline constexpr std::uint8_t kRst = 0x04;
inline constexpr std::uint8_t kPsh = 0x08;
inline constexpr std::uint8_t kUrg = 0x20;
inline constexpr std::uint8_t kCwr = 0x80;
}  // namespace tcp

namespace udp {
inline constexpr std::size_t kSize = 8;
inline constexpr std::size_t kLength = 4;
inline constexpr std::size_t kChecksum = 6;
}  // namespace udp

}  // namespace magnetar::offload
