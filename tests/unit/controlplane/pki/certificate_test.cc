// SPDX-License-Identifier: Apache-2.0
#include "controlplane/pki/certificate.h"

#include <cctype>

#include <gtest/gtest.h>

namespace magnetar::pki {
namespace {

TEST(Fingerprint, ParsesSixtyFourHexDigitsOnly) {
  const std::string good = "3a619579e88c944923fa8817602eaa53ad0f9fcb22d00279c028fd87792b5086";
  std::string upper = good;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  const struct {
    const char* why;
    std::string text;
    bool accepted;
  } cases[] = {
      {"lower case", good, true},
      {"upper case", upper, true},
      {"empty", "", false},
      {"a digit short", good.substr(1), false},
      {"a digit long", good + "0", false},
      {"a byte short", good.substr(2), false},
      {"a letter that is no digit", std::string(good).replace(0, 1, "g"), false},
      {"a zero byte", good.substr(0, 63) + '\0', false},
      {"colons", std::string(good).replace(2, 1, ":"), false},
  };
  for (const auto& [why, text, accepted] : cases) {
    SCOPED_TRACE(why);
    const auto parsed = Fingerprint::parse(text);
    ASSERT_EQ(parsed.has_value(), accepted);
    if (!parsed) continue;
    EXPECT_EQ(parsed->to_string(), good);
    EXPECT_EQ(parsed->bytes[0], std::byte{0x3a});
    EXPECT_EQ(parsed->bytes[31], std::byte{0x86});
  }
}

TEST(Certificate, ListsEveryAddressTheFirstOnePrimary) {
  Certificate certificate;
  EXPECT_TRUE(certificate.overlay_addrs().empty());
  certificate.networks = {*Prefix::parse("10.42.0.9/16"), *Prefix::parse("10.1.0.2/24")};
  const auto addrs = certificate.overlay_addrs();
  ASSERT_EQ(addrs.size(), 2U);
  EXPECT_EQ(addrs[0].to_string(), "10.42.0.9");
  EXPECT_EQ(addrs[1].to_string(), "10.1.0.2");
}

}  // namespace
}  // namespace magnetar::pki
