// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/cert/render.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "controlplane/pki/issue.h"
#include "controlplane/pki/pem.h"
#include "tests/support/random.h"
#include "tests/support/vectors.h"

namespace magnetar::cli::cert {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

pki::Certificate certificate(std::uint8_t version, Curve curve, const std::string& name) {
  testing::SeededRandom random(3);
  const auto key = crypto::SigningKey::generate(curve, random);
  pki::Request request{.version = version, .name = name};
  request.not_before = WallTime{1790000000s};
  request.not_after = WallTime{1790003600s};
  request.public_key = key.public_key();
  return pki::self_sign(request, key).value();
}

// What nebula-cert 1.11.0 printed of each CA among the recorded certificates.
TEST(CertRender, PrintsRecordedCertificatesAsNebulaCertDid) {
  const json vectors = testing::load_vectors("certificates-v2.json");
  std::size_t seen = 0;
  for (const auto& [name, ca] : vectors["cas"].items()) {
    SCOPED_TRACE(name);
    if (!ca.contains("print")) continue;
    const auto certificates =
        pki::certificates_from_pem(ca["pem"].get_ref<const std::string&>()).value();
    EXPECT_EQ(json::parse(render_json(certificates)), ca["print"]);
    ++seen;
  }
  EXPECT_GE(seen, 2U);
}

TEST(CertRender, WritesWhatNebulaCertWritesByteForByte) {
  const pki::Certificate v2 = certificate(2, Curve::k25519, "<a>&\"\xc3\xa9\xe2\x80\xa8\x01");
  const json shown = to_json(v2);
  const std::string expected =
      R"([{"curve":"CURVE25519","details":{"groups":null,"isCa":true,"issuer":"",)"
      R"("name":"\u003ca\u003e\u0026\")"
      "\xc3\xa9"
      R"(\u2028\u0001","networks":null,"notAfter":"2026-09-21T15:13:20Z",)"
      R"("notBefore":"2026-09-21T14:13:20Z","unsafeNetworks":null},"fingerprint":")" +
      v2.fingerprint.to_string() + R"(","publicKey":")" + hex(v2.public_key) +
      R"(","signature":")" + hex(v2.signature) + R"(","version":2}])" + "\n";
  EXPECT_EQ(render_json(std::span(&v2, 1)), expected);
}

TEST(CertRender, Version1KeepsCurveAndKeyWithinItsDetailsAndListsEvenWhenEmpty) {
  const pki::Certificate v1 = certificate(1, Curve::kP256, "old");
  const json shown = to_json(v1);
  EXPECT_EQ(shown["details"]["curve"], "P256");
  EXPECT_EQ(shown["details"]["publicKey"], hex(v1.public_key));
  EXPECT_EQ(shown["details"]["groups"], json::array());
  EXPECT_EQ(shown["details"]["networks"], json::array());
  EXPECT_EQ(shown["details"]["unsafeNetworks"], json::array());
  EXPECT_FALSE(shown.contains("curve"));
  EXPECT_FALSE(shown.contains("publicKey"));
}

TEST(CertRender, TextIsTheSameIndentedByTabsOneAfterTheOther) {
  const std::vector<pki::Certificate> both{certificate(1, Curve::k25519, "a"),
                                           certificate(2, Curve::k25519, "b")};
  const std::string text = render_text(both);
  EXPECT_TRUE(text.starts_with("{\n\t\"details\": {\n\t\t\"curve\": \"CURVE25519\",\n")) << text;
  const std::size_t second = text.find("}\n{\n\t\"curve\"");
  ASSERT_NE(second, std::string::npos);
  EXPECT_EQ(json::parse(text.substr(0, second + 1)), to_json(both[0]));
  EXPECT_EQ(json::parse(text.substr(second + 2)), to_json(both[1]));
}

}  // namespace
}  // namespace magnetar::cli::cert
