// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace magnetar::pki {

// Well-formed UTF-8 by RFC 3629: no over-long forms, no surrogates, nothing past U+10FFFF. What Go
// and proto3 ask of a text.
[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace magnetar::pki
