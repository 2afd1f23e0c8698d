// SPDX-License-Identifier: Apache-2.0
// [pki]: certificates and keys from the vectors.
#include <gtest/gtest.h>

#include "tests/unit/controlplane/config/material.h"

namespace magnetar::config {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kConfig =
    "[pki]\nca = \"ca.crt\"\ncert = \"host.crt\"\nkey = \"host.key\"\n";

// Loads kConfig with the CAs and host given.
Loaded load_host(const Material& material, std::string_view ca, std::string_view host) {
  material.write("ca.crt", ca_pem(ca));
  material.write("host.crt", cert_pem(host));
  material.write("host.key", key_pem(host));
  return material.load(completed(kConfig));
}

TEST(Identity, OfAGoodHostIsComplete) {
  const Material material;
  material.write("ca.crt", ca_pem("main") + "# the next one\n" + ca_pem("restricted"));
  const auto loaded = material.load(completed(kConfig));
  ASSERT_TRUE(loaded.config.has_value()) << listing(loaded);
  EXPECT_EQ(listing(loaded), "");
  const Identity& identity = *loaded.config->identity;
  EXPECT_EQ(identity.certificate.name, "initiator.example");
  EXPECT_EQ(identity.certificate.fingerprint.to_string(), fingerprint_of("good-initiator"));
  EXPECT_EQ(identity.cas.cas().size(), 2U);
  EXPECT_TRUE(identity.blocklist.empty());
}

TEST(Identity, ComesFromPemTextAsWell) {
  const std::string text = "[pki]\nca = \"\"\"\n" + ca_pem("main") + "\"\"\"\ncert = \"\"\"\n" +
                           cert_pem("good-initiator") + "\"\"\"\nkey = \"\"\"\n" +
                           key_pem("good-initiator") + "\"\"\"\n";
  const auto loaded = load_text(completed(text), "m.toml", {}, kVectorTime, kTestCpus);
  ASSERT_TRUE(loaded.config.has_value()) << listing(loaded);
  EXPECT_EQ(listing(loaded), "") << "PEM text has no file whose mode could be wrong";
}

TEST(Identity, KeepsTheBlocklistTyped) {
  const Material material;
  const std::string other = fingerprint_of("good-responder");
  const auto loaded =
      material.load(completed(std::string(kConfig) + "blocklist = [\"" + other + "\"]\n"));
  ASSERT_TRUE(loaded.config.has_value()) << listing(loaded);
  const auto& blocklist = loaded.config->identity->blocklist;
  ASSERT_EQ(blocklist.size(), 1U);
  EXPECT_EQ(blocklist.begin()->to_string(), other);
}

TEST(Identity, EveryHostOfTheVectorsThatNebulaRefusesIsRefused) {
  struct Row {
    std::string_view why;
    std::string_view ca;
    std::string_view host;
    std::string_view says;  // none: accepted
  };
  constexpr Row kRows[] = {
      {"unsafe networks", "main", "good-responder", ""},
      {"letters beyond ASCII", "main", "unicode-name", ""},
      {"within its CA's limits", "restricted", "restricted-ok", ""},
      {"expired, with both dates", "main", "expired",
       "the certificate of \"expired.example\" expired at 2024-07-03T09:46:40Z (it is "
       "2025-06-15T15:06:40Z now)"},
      {"not yet valid", "main", "not-yet-valid",
       "the certificate of \"future.example\" is not valid before 2046-01-19T18:40:00Z"},
      {"a CA that is not there", "main", "unknown-ca",
       "no CA vouches for the certificate of \"stranger.example\": its issuer is "
       "57f1c66e7d6bd62eb86997f4afd37a769ffeae5f21f8e0ed532b00f6370a9476, pki.ca holds "
       "\"Example CA\" (3a619579e88c944923fa8817602eaa53ad0f9fcb22d00279c028fd87792b5086)"},
      {"an address that its CA may not give", "restricted", "restricted-bad-ip",
       "the certificate of \"badip.example\", issued by the CA \"Restricted CA\", is refused"},
      {"a mask that its CA may not give", "restricted", "restricted-bad-mask", "is refused"},
      {"a signature that is not its CA's", "main", "tampered-signature", "is refused"},
      {"groups that were not signed", "main", "tampered-groups", "is refused"},
  };
  const Material material;
  for (const auto& [why, ca, host, says] : kRows) {
    SCOPED_TRACE(why);
    const auto loaded = load_host(material, ca, host);
    EXPECT_EQ(loaded.config.has_value(), says.empty());
    if (says.empty()) {
      EXPECT_EQ(listing(loaded), "");
      continue;
    }
    ASSERT_EQ(loaded.diagnostics.size(), 1U) << listing(loaded);
    const auto& found = loaded.diagnostics[0];
    EXPECT_EQ(found.key, "pki.cert");
    EXPECT_EQ(found.line, 3U);
    EXPECT_EQ(found.column, 8U);
    EXPECT_NE(found.what.find(says), std::string::npos) << found.what;
  }
}

TEST(Identity, ExpiredCas) {
  const Material material;
  const auto alone = load_host(material, "expired", "expired-ca");
  EXPECT_FALSE(alone.config.has_value());
  EXPECT_NE(listing(alone).find("m.toml:2:6: error: pki.ca: the CA \"Expired CA\" expired at "
                                "2024-03-09T16:00:00Z"),
            std::string::npos)
      << listing(alone);

  material.write("ca.crt", ca_pem("main") + ca_pem("expired"));
  material.write("host.crt", cert_pem("good-initiator"));
  material.write("host.key", key_pem("good-initiator"));
  const auto beside_a_valid_one = material.load(completed(kConfig));
  EXPECT_TRUE(beside_a_valid_one.config.has_value());
  ASSERT_EQ(beside_a_valid_one.diagnostics.size(), 1U) << listing(beside_a_valid_one);
  EXPECT_EQ(beside_a_valid_one.diagnostics[0].severity, Severity::kWarning);
  EXPECT_EQ(beside_a_valid_one.diagnostics[0].key, "pki.ca");
}

TEST(Identity, FindsOnlyWhatIsWrongWithTheFiles) {
  struct Row {
    std::string_view why;
    std::string_view file;
    std::string text;
    std::string_view key;
    std::string_view says;
  };
  const std::string cert = cert_pem("good-initiator");
  const Row rows[] = {
      {"the key of another host", "host.key", key_pem("good-responder"), "pki.key",
       "does not belong to the certificate of \"initiator.example\" in pki.cert"},
      {"a key that is none", "host.key", "secret", "pki.key", "cannot be used as a private key"},
      {"a certificate as the key", "host.key", cert, "pki.key",
       "cannot be used as a private key: holds \"NEBULA CERTIFICATE\""},
      {"an empty certificate file", "host.crt", "", "pki.cert",
       "cannot be used as a host certificate: holds no PEM block"},
      {"a certificate that is cut off", "host.crt", cert.substr(0, 100), "pki.cert",
       "does not end"},
      {"two certificates", "host.crt", cert + cert_pem("good-responder"), "pki.cert",
       "holds 2 certificates; one, this host's, is expected, or one of each version"},
      {"the CA's certificate as our own", "host.crt", ca_pem("main"), "pki.cert",
       "\"Example CA\" is a CA; a host certificate, signed by it, is expected"},
      {"no CA", "ca.crt", "\n", "pki.ca", "cannot be used as CA certificates"},
      {"a host among the CAs", "ca.crt", ca_pem("main") + cert_pem("good-responder"), "pki.ca",
       "the certificate of \"responder.example\" is not a CA's certificate; take it out"},
  };
  for (const auto& [why, file, text, key, says] : rows) {
    SCOPED_TRACE(why);
    const Material material;
    material.write(file, text);
    const auto loaded = material.load(completed(kConfig));
    EXPECT_FALSE(loaded.config.has_value());
    ASSERT_EQ(loaded.diagnostics.size(), 1U) << listing(loaded);
    EXPECT_EQ(loaded.diagnostics[0].key, key);
    EXPECT_NE(loaded.diagnostics[0].what.find(says), std::string::npos) << listing(loaded);
  }
}

TEST(Identity, NamesAFileThatCannotBeRead) {
  const Material material;
  fs::remove(material.directory() / "host.crt");
  const auto loaded = material.load(completed(kConfig));
  ASSERT_EQ(loaded.diagnostics.size(), 1U) << listing(loaded);
  const auto& what = loaded.diagnostics[0].what;
  EXPECT_EQ(loaded.diagnostics[0].key, "pki.cert");
  EXPECT_TRUE(what.starts_with("cannot read ")) << what;
  EXPECT_NE(what.find("No such file"), std::string::npos) << what;
}

TEST(Identity, NeverOpensADevice) {
  const auto loaded = load_text(completed("[pki]\nca = \"/dev/zero\"\ncert = \"/dev/zero\"\n"
                                          "key = \"/dev/zero\"\n"),
                                "m.toml", {}, kVectorTime, kTestCpus);
  ASSERT_EQ(loaded.diagnostics.size(), 3U) << listing(loaded);
  EXPECT_NE(listing(loaded).find("it is not a regular file"), std::string::npos);
}

TEST(Identity, OwnCertificateOnTheBlocklist) {
  const Material material;
  const std::string own = fingerprint_of("good-initiator");
  const auto loaded =
      material.load(completed(std::string(kConfig) + "blocklist = [\"" + own + "\"]\n"));
  ASSERT_EQ(loaded.diagnostics.size(), 1U) << listing(loaded);
  EXPECT_EQ(loaded.diagnostics[0].key, "pki.cert");
  EXPECT_NE(loaded.diagnostics[0].what.find("(" + own + ") is on pki.blocklist"),
            std::string::npos);
}

TEST(Identity, AFingerprintHas64Digits) {
  const Material material;
  const auto loaded =
      material.load(completed(std::string(kConfig) + "blocklist = [\n  \"abcd\",\n  7]\n"));
  EXPECT_EQ(listing(loaded),
            "m.toml:6:3: error: pki.blocklist: is \"abcd\"; the fingerprint of a certificate is 64 "
            "hexadecimal digits\n"
            "m.toml:7:3: error: pki.blocklist: is an integer; a string is expected, for example "
            "[\"64 hexadecimal digits\"]\n");
}

TEST(Identity, AKeyThatOthersMayReadIsAWarning) {
  const Material material;
  struct Row {
    fs::perms mode;
    std::string_view octal;  // none: fine
  };
  constexpr auto kOwner = fs::perms::owner_read | fs::perms::owner_write;
  const Row rows[] = {
      {fs::perms::owner_read, ""},
      {kOwner, ""},
      {kOwner | fs::perms::group_read, "0640"},
      {kOwner | fs::perms::group_read | fs::perms::others_read, "0644"},
  };
  for (const auto& [mode, octal] : rows) {
    SCOPED_TRACE(octal);
    material.write("host.key", key_pem("good-initiator"));
    fs::permissions(material.directory() / "host.key", mode);
    const auto loaded = material.load(completed(kConfig));
    EXPECT_TRUE(loaded.config.has_value());
    const std::string path = (material.directory() / "host.key").string();
    const std::string expected = octal.empty()
                                     ? ""
                                     : "m.toml:4:7: warning: pki.key: the private key is open to "
                                       "others (mode " +
                                           std::string(octal) + "); run chmod 600 " + path + "\n";
    EXPECT_EQ(listing(loaded), expected);
    fs::permissions(material.directory() / "host.key", kOwner);
  }
}

TEST(Identity, APrivateKeyIsNeverShown) {
  const std::string key = key_pem("good-responder");
  const std::string text = "[pki]\nca = \"nowhere\"\ncert = \"nowhere\"\nkey = \"\"\"\n" +
                           key.substr(0, key.size() - 10) + "\"\"\"\n";
  const auto loaded = load_text(completed(text), "m.toml", {}, kVectorTime, kTestCpus);
  const std::string body = key.substr(key.find('\n') + 1, 16);
  EXPECT_EQ(listing(loaded).find(body), std::string::npos) << listing(loaded);
  EXPECT_NE(listing(loaded).find("pki.key"), std::string::npos);
}

}  // namespace
}  // namespace magnetar::config
