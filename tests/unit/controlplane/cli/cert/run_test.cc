// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/cert/run.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "controlplane/cli/command_line.h"
#include "controlplane/pki/pem.h"
#include "tests/support/random.h"
#include "tests/unit/controlplane/ops/temp_folder.h"

namespace magnetar::cli::cert {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using Arguments = std::vector<std::string>;

constexpr WallTime kNow{1790000000s};

struct Outcome {
  int status;
  std::string out;
  std::string error;
};

class CertRun : public ::testing::Test {
 protected:
  // "@x" stands for the file x of the test's folder.
  Outcome cert(Arguments arguments, WallTime now = kNow) {
    for (std::string& argument : arguments)
      if (argument.starts_with('@')) argument = file(argument.substr(1));
    const auto passphrase = [this]() -> Result<SecretText, Problem> {
      ++asked_;
      if (passphrase_.empty()) return failed("nobody to ask");
      return SecretText(std::string_view(passphrase_));
    };
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int status = run(arguments, Surroundings{now, random_, passphrase});
    std::string out = ::testing::internal::GetCapturedStdout();
    return {status, std::move(out), ::testing::internal::GetCapturedStderr()};
  }
  Outcome ca(Arguments more = {}) {
    Arguments all{"ca", "-name", "net", "-out-crt", "@ca.crt", "-out-key", "@ca.key"};
    all.insert(all.end(), more.begin(), more.end());
    return cert(std::move(all));
  }
  Outcome sign(const std::string& name, Arguments more = {}, WallTime now = kNow) {
    Arguments all{"sign",    "-name",   name,       "-ca-crt",          "@ca.crt",
                  "-ca-key", "@ca.key", "-out-crt", "@" + name + ".crt"};
    if (std::ranges::find(more, "-in-pub") == more.end())
      all.insert(all.end(), {"-out-key", "@" + name + ".key"});
    all.insert(all.end(), more.begin(), more.end());
    return cert(std::move(all), now);
  }
  std::string file(const std::string& name) const { return folder_.file(name); }
  std::string content_of(const std::string& name) const {
    std::ifstream in(file(name));
    return {std::istreambuf_iterator<char>(in), {}};
  }
  pki::Certificate certificate_in(const std::string& name) const {
    return pki::certificates_from_pem(content_of(name)).value().front();
  }
  bool there(const std::string& name) const { return std::filesystem::exists(file(name)); }

  test::TempFolder folder_;
  magnetar::testing::SeededRandom random_{11};
  std::string passphrase_;
  int asked_ = 0;
};

TEST_F(CertRun, MakesCasAndHostsOfEveryVersionAndCurve) {
  for (const char* version : {"1", "2"}) {
    for (const char* curve : {"25519", "P256"}) {
      SCOPED_TRACE(std::string(version) + " " + curve);
      ASSERT_EQ(ca({"-version", version, "-curve", curve}).status, kFine);
      const Outcome signed_one = sign("host", {"-networks", "10.42.0.1/16", "-groups", "a, b"});
      ASSERT_EQ(signed_one.status, kFine) << signed_one.error;
      EXPECT_EQ(signed_one.out, "");
      EXPECT_EQ(signed_one.error, "");
      const pki::Certificate host = certificate_in("host.crt");
      EXPECT_EQ(std::to_string(host.version), version) << "as the CA's";
      EXPECT_EQ(host.groups, (std::vector<std::string>{"a", "b"}));
      EXPECT_EQ(host.not_before, kNow);
      EXPECT_EQ(host.not_after, certificate_in("ca.crt").not_after - 1s);
      EXPECT_TRUE(pki::private_key_from_pem(content_of("host.key")));
      EXPECT_EQ(cert({"verify", "-ca", "@ca.crt", "-crt", "@host.crt"}).status, kFine);
      for (const char* name : {"ca.crt", "ca.key", "host.crt", "host.key"})
        std::filesystem::remove(file(name));
    }
  }
}

TEST_F(CertRun, ACaOfEitherVersionSignsBoth) {
  ASSERT_EQ(ca({"-version", "1"}).status, kFine);
  ASSERT_EQ(sign("new", {"-version", "2", "-networks", "10.0.0.1/8,fd00::1/64"}).status, kFine);
  EXPECT_EQ(certificate_in("new.crt").version, 2);
  EXPECT_EQ(certificate_in("new.crt").networks.size(), 2U);
}

TEST_F(CertRun, TakesTheOlderNamesOfFlags) {
  ASSERT_EQ(ca({"-ips", "10.0.0.0/8", "-subnets", "192.168.0.0/16"}).status, kFine);
  EXPECT_EQ(certificate_in("ca.crt").networks.front().to_string(), "10.0.0.0/8");
  ASSERT_EQ(sign("host", {"-ip", "10.0.0.1/8", "-subnets", "192.168.7.0/24"}).status, kFine);
  EXPECT_EQ(certificate_in("host.crt").networks.front().to_string(), "10.0.0.1/8");
  EXPECT_EQ(certificate_in("host.crt").unsafe_networks.front().to_string(), "192.168.7.0/24");
  ASSERT_EQ(sign("both", {"-ip", "10.0.0.1/8", "-networks", "10.0.0.2/8"}).status, kFine);
  EXPECT_EQ(certificate_in("both.crt").networks.front().to_string(), "10.0.0.2/8");
}

TEST_F(CertRun, SignsAKeyThatSomebodyElseHas) {
  ASSERT_EQ(ca().status, kFine);
  ASSERT_EQ(cert({"keygen", "-out-key", "@k.key", "-out-pub", "@k.pub"}).status, kFine);
  ASSERT_EQ(sign("host", {"-in-pub", "@k.pub", "-networks", "10.0.0.1/8"}).status, kFine);
  const auto key = pki::public_key_from_pem(content_of("k.pub")).value();
  EXPECT_TRUE(std::ranges::equal(certificate_in("host.crt").public_key, key.view()));
  EXPECT_FALSE(there("host.key"));

  ASSERT_EQ(cert({"keygen", "-curve", "P256", "-out-key", "@p.key", "-out-pub", "@p.pub"}).status,
            kFine);
  const Outcome other_curve = sign("p", {"-in-pub", "@p.pub", "-networks", "10.0.0.1/8"});
  EXPECT_EQ(other_curve.status, kRefused);
  EXPECT_NE(other_curve.error.find("is on P256 and the CA on CURVE25519"), std::string::npos);

  std::ofstream(file("zero.pub")) << pki::to_pem(PublicKey(Curve::k25519));
  EXPECT_EQ(sign("zero", {"-in-pub", "@zero.pub", "-networks", "10.0.0.1/8"}).status, kRefused);
  EXPECT_FALSE(there("zero.crt"));
}

TEST_F(CertRun, EncryptsTheKeyOfACa) {
  passphrase_ = "open sesame";
  ASSERT_EQ(ca({"-encrypt", "-argon-memory", "64"}).status, kFine);
  EXPECT_TRUE(
      content_of("ca.key").starts_with("-----BEGIN NEBULA ED25519 ENCRYPTED PRIVATE KEY-----\n"));
  ASSERT_EQ(sign("host", {"-networks", "10.0.0.1/8"}).status, kFine);
  EXPECT_EQ(asked_, 2);
  passphrase_ = "wrong";
  const Outcome wrong = sign("other", {"-networks", "10.0.0.1/8"});
  EXPECT_EQ(wrong.status, kRefused);
  EXPECT_NE(wrong.error.find("ca.key': the encrypted key: the passphrase is wrong"),
            std::string::npos)
      << wrong.error;
  passphrase_.clear();
  EXPECT_EQ(sign("other", {"-networks", "10.0.0.1/8"}).error, "magnetar: nobody to ask\n");
  EXPECT_FALSE(there("other.crt") || there("other.key"));
}

TEST_F(CertRun, OverwritesNothingAndAsksForNoPassphraseThen) {
  passphrase_ = "x";
  ASSERT_EQ(ca().status, kFine);
  const std::string crt = content_of("ca.crt");
  const std::string key = content_of("ca.key");
  const Outcome again = ca({"-encrypt", "-argon-memory", "64"});
  EXPECT_EQ(again.status, kRefused);
  EXPECT_NE(again.error.find("ca.key' exists already"), std::string::npos) << again.error;
  EXPECT_EQ(asked_, 0);
  std::filesystem::remove(file("ca.key"));
  EXPECT_EQ(ca().status, kRefused) << "the certificate is still there";
  EXPECT_FALSE(there("ca.key")) << "a key without its certificate helps nobody";
  std::ofstream(file("ca.key")) << key;

  ASSERT_EQ(sign("host", {"-networks", "10.0.0.1/8"}).status, kFine);
  std::filesystem::remove(file("host.key"));
  EXPECT_EQ(sign("host", {"-networks", "10.0.0.1/8"}).status, kRefused);
  EXPECT_FALSE(there("host.key"));
  EXPECT_EQ(content_of("ca.crt"), crt);

  ASSERT_EQ(cert({"keygen", "-out-key", "@k.key", "-out-pub", "@k.pub"}).status, kFine);
  EXPECT_EQ(cert({"keygen", "-out-key", "@k.key", "-out-pub", "@new.pub"}).status, kRefused);
  EXPECT_FALSE(there("new.pub"));
}

TEST_F(CertRun, SaysWhatACaMayNotGiveOut) {
  ASSERT_EQ(ca({"-networks", "10.0.0.0/8,fd00::/16", "-unsafe-networks", "192.168.0.0/16",
                "-groups", "a,b", "-duration", "10h"})
                .status,
            kFine);
  struct Row {
    const char* why;
    Arguments flags;
    WallTime now;
    const char* says;
  };
  const Row rows[] = {
      {"a network elsewhere",
       {"-networks", "11.0.0.1/8"},
       kNow,
       "-networks: 11.0.0.1/8 is not within what the CA may give out: 10.0.0.0/8, fd00::/16"},
      {"a network too wide", {"-networks", "10.0.0.1/7"}, kNow, "10.0.0.1/7 is not within"},
      {"one of two", {"-networks", "10.0.0.1/8,fe00::1/64"}, kNow, "fe00::1/64 is not within"},
      {"an unsafe network",
       {"-networks", "10.0.0.1/8", "-unsafe-networks", "172.16.0.0/12"},
       kNow,
       "-unsafe-networks: 172.16.0.0/12"},
      {"a group",
       {"-networks", "10.0.0.1/8", "-groups", "a,c"},
       kNow,
       "-groups: 'c' is not among those the CA may give out: a, b"},
      {"too long", {"-networks", "10.0.0.1/8", "-duration", "11h"}, kNow, "after its CA"},
      {"the CA has expired", {"-networks", "10.0.0.1/8"}, kNow + 11h, "the CA expired on 2026-"},
      {"the CA is not valid yet", {"-networks", "10.0.0.1/8"}, kNow - 1h, "and not yet"},
      {"a network twice", {"-networks", "10.0.0.1/8,fd00::/128,fd00::/128"}, kNow, "twice"},
      {"an unsafe network of a family the host lacks",
       {"-networks", "fd00::1/64", "-unsafe-networks", "192.168.0.0/24"},
       kNow,
       "family"},
  };
  for (const auto& [why, flags, now, says] : rows) {
    SCOPED_TRACE(why);
    const Outcome refused = sign("host", flags, now);
    EXPECT_EQ(refused.status, kRefused);
    EXPECT_NE(refused.error.find(says), std::string::npos) << refused.error;
    EXPECT_FALSE(there("host.crt") || there("host.key"));
  }
}

TEST_F(CertRun, RefusesWrongUsageWithTwo) {
  ASSERT_EQ(ca().status, kFine);
  struct Row {
    const char* why;
    Arguments arguments;
    const char* says;
  };
  const Row rows[] = {
      {"no command", {}, "needs a command"},
      {"an unknown one", {"revoke"}, "no command 'revoke'"},
      {"ca without a name", {"ca"}, "-name is required"},
      {"ca that ends at once", {"ca", "-name", "x", "-duration", "0"}, "more than 0"},
      {"ca of version 3", {"ca", "-name", "x", "-version", "3"}, "-version: '3'"},
      {"ca of version 0", {"ca", "-name", "x", "-version", "0"}, "-version: '0'"},
      {"ca on another curve", {"ca", "-name", "x", "-curve", "P384"}, "no curve 'P384'"},
      {"ca for 300 years", {"ca", "-name", "x", "-duration", "2400000h"}, "year 2262"},
      {"ca with a QR code", {"ca", "-name", "x", "-out-qr", "x.png"}, "qrencode"},
      {"ca into one file", {"ca", "-name", "x", "-out-crt", "@x", "-out-key", "@x"}, "both write"},
      {"argon2 without memory",
       {"ca", "-name", "x", "-encrypt", "-argon-memory", "31", "-out-crt", "@x", "-out-key", "@y"},
       "-argon-memory: '31'"},
      {"two documents for standard output",
       {"ca", "-json", "-name", "x", "-out-crt", "-", "-out-key", "@x"},
       "--json and -out-crt -"},
      {"sign without networks", {"sign", "-name", "x"}, "-networks is required"},
      {"sign with a stray word", {"sign", "x"}, "'x' is no flag"},
      {"sign for a key, and where to put it",
       {"sign", "-name", "x", "-networks", "10.0.0.1/8", "-in-pub", "p", "-out-key", "k"},
       "exclude each other"},
      {"sign, version 1, with IPv6",
       {"sign", "-version", "1", "-name", "x", "-networks", "fd00::1/64", "-ca-crt", "@ca.crt",
        "-ca-key", "@ca.key", "-out-crt", "@x", "-out-key", "@y"},
       "one IPv4 address"},
      {"sign, version 1, with two addresses",
       {"sign", "-version", "1", "-name", "x", "-networks", "10.0.0.1/8,10.0.0.2/8", "-ca-crt",
        "@ca.crt", "-ca-key", "@ca.key", "-out-crt", "@x", "-out-key", "@y"},
       "one IPv4 address"},
      {"keygen without files", {"keygen"}, "-out-key is required"},
      {"print without a file", {"print"}, "-path is required"},
      {"verify without CAs", {"verify", "-crt", "x"}, "-ca is required"},
      {"verify, both from standard input", {"verify", "-ca", "-", "-crt", "-"}, "standard input"},
  };
  for (const auto& [why, arguments, says] : rows) {
    SCOPED_TRACE(why);
    const Outcome refused = cert(arguments);
    EXPECT_EQ(refused.status, kUsage) << refused.error;
    EXPECT_EQ(refused.out, "");
    EXPECT_NE(refused.error.find(says), std::string::npos) << refused.error;
    EXPECT_NE(refused.error.find("see `magnetar cert"), std::string::npos) << refused.error;
  }
}

TEST_F(CertRun, VerifiesAsOfNow) {
  ASSERT_EQ(ca({"-duration", "10h"}).status, kFine);
  ASSERT_EQ(sign("host", {"-networks", "10.0.0.1/8", "-duration", "5h"}).status, kFine);
  ASSERT_EQ(
      cert({"ca", "-name", "other", "-out-crt", "@other.crt", "-out-key", "@other.key"}).status,
      kFine);
  struct Row {
    const char* why;
    std::string ca;
    std::string crt;
    WallTime now;
    int status;
    const char* says;
  };
  const Row rows[] = {
      {"good", "ca.crt", "host.crt", kNow + 1h, kFine, ""},
      {"expired", "ca.crt", "host.crt", kNow + 6h, kRefused, ": expired on 2026-09-21T19:13:20Z"},
      {"early", "ca.crt", "host.crt", kNow - 1h, kRefused, "not valid yet"},
      {"its CA has expired", "ca.crt", "host.crt", kNow + 11h, kRefused, "a CA that has expired"},
      {"of another CA", "other.crt", "host.crt", kNow, kRefused, "not among those of -ca"},
      {"a CA is no host", "ca.crt", "ca.crt", kNow, kRefused, "names no issuer"},
      {"a host is no CA", "host.crt", "host.crt", kNow, kRefused, "host.crt': 'host'"},
      {"no certificate", "ca.crt", "host.key", kNow, kRefused, "not a certificate"},
      {"no file", "ca.crt", "none", kNow, kRefused, "No such file"},
  };
  for (const auto& [why, ca_file, crt, now, status, says] : rows) {
    SCOPED_TRACE(why);
    const Outcome outcome = cert({"verify", "-ca", "@" + ca_file, "-crt", "@" + crt}, now);
    EXPECT_EQ(outcome.status, status);
    EXPECT_EQ(outcome.out, "");
    EXPECT_NE(outcome.error.find(says), std::string::npos) << outcome.error;
    EXPECT_EQ(outcome.error.empty(), status == kFine) << outcome.error;
  }
}

TEST_F(CertRun, JsonIsOneDocument) {
  const json made = json::parse(ca({"-json"}).out);
  ASSERT_EQ(made.size(), 1U);
  EXPECT_EQ(made[0]["details"]["name"], "net");
  EXPECT_EQ(
      json::parse(sign("host", {"--json", "-networks", "10.0.0.1/8"}).out)[0]["details"]["issuer"],
      made[0]["fingerprint"]);
  EXPECT_EQ(json::parse(cert({"print", "-json", "-path", "@ca.crt"}).out), made);
  EXPECT_EQ(json::parse(cert({"keygen", "-json", "-out-key", "@k", "-out-pub", "@p"}).out)["curve"],
            "CURVE25519");
  const Outcome refused =
      cert({"verify", "-json", "-ca", "@ca.crt", "-crt", "@host.crt"}, kNow - 1h);
  EXPECT_EQ(refused.status, kRefused);
  const json verdicts = json::parse(refused.out);
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0]["name"], "host");
  EXPECT_EQ(verdicts[0]["valid"], false);
  EXPECT_NE(refused.error, "");
}

TEST_F(CertRun, AFileOfSeveralCasOffersTheOneOfTheKey) {
  ASSERT_EQ(ca().status, kFine);
  ASSERT_EQ(cert({"ca", "-name", "other", "-out-crt", "@o.crt", "-out-key", "@o.key"}).status,
            kFine);
  std::ofstream(file("all.crt")) << content_of("o.crt") << content_of("ca.crt");
  ASSERT_EQ(sign("host", {"-networks", "10.0.0.1/8", "-ca-crt", "@all.crt"}).status, kFine);
  EXPECT_EQ(certificate_in("host.crt").issuer, certificate_in("ca.crt").fingerprint);
  const Outcome stranger = sign("x", {"-networks", "10.0.0.1/8", "-ca-crt", "@o.crt"});
  EXPECT_EQ(stranger.status, kRefused);
  EXPECT_NE(stranger.error.find("to which the key of"), std::string::npos) << stranger.error;
}

TEST_F(CertRun, HelpsEachCommand) {
  const Outcome overview = cert({"-h"});
  EXPECT_EQ(overview.status, kFine);
  for (const char* command : {"ca", "sign", "keygen", "print", "verify"}) {
    EXPECT_NE(overview.out.find("  " + std::string(command) + " "), std::string::npos);
    const Outcome help = cert({command, "-h"});
    EXPECT_EQ(help.status, kFine);
    EXPECT_TRUE(help.out.starts_with("Usage: magnetar cert " + std::string(command)));
  }
}

}  // namespace
}  // namespace magnetar::cli::cert
