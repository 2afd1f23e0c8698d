// SPDX-License-Identifier: Apache-2.0
// What the type nibble of the Nebula header may say (protocol/wire.md 1.1).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace magnetar::wire {

enum class MessageType : std::uint8_t {
  kHandshake = 0,
  kMessage = 1,
  kRecvError = 2,
  kLighthouse = 3,
  kTest = 4,
  kCloseTunnel = 5,
  kControl = 6,
};

inline constexpr std::uint8_t kSubtypeNone = 0;
inline constexpr std::uint8_t kSubtypeRelay = 1;        // of kMessage
inline constexpr std::uint8_t kSubtypeTestRequest = 0;  // of kTest
inline constexpr std::uint8_t kSubtypeTestReply = 1;    // of kTest

struct MessageRule {
  MessageType type;
  std::string_view name;  // metric label and log text
  std::uint8_t subtypes;  // valid subtypes are 0 .. subtypes - 1
  bool encrypted;         // false: no AEAD, and nothing in it may be believed as it stands
};

inline constexpr std::array kMessageRules{
    MessageRule{MessageType::kHandshake, "handshake", 1, false},
    MessageRule{MessageType::kMessage, "message", 2, true},
    MessageRule{MessageType::kRecvError, "recv_error", 1, false},
    MessageRule{MessageType::kLighthouse, "lighthouse", 1, true},
    MessageRule{MessageType::kTest, "test", 2, true},
    MessageRule{MessageType::kCloseTunnel, "close_tunnel", 1, true},
    MessageRule{MessageType::kControl, "control", 1, true},
};

static_assert(
    [] {
      for (std::size_t i = 0; i < kMessageRules.size(); ++i)
        if (static_cast<std::size_t>(kMessageRules[i].type) != i) return false;
      return true;
    }(),
    "rows are indexed by the type nibble on the wire");

}  // namespace magnetar::wire
