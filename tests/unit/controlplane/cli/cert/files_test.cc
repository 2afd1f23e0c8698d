// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/cert/files.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/unit/controlplane/ops/temp_folder.h"

namespace magnetar::cli::cert {
namespace {

using namespace std::string_view_literals;

std::string content_of(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

void put(const std::string& path, const std::string& content) { std::ofstream(path) << content; }

class CertFiles : public testing::Test {
 protected:
  std::set<std::string> names() const {
    std::set<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.file("")))
      all.insert(entry.path().filename());
    return all;
  }

  test::TempFolder folder_;
  std::string key_ = folder_.file("a.key");
  std::string crt_ = folder_.file("a.crt");
  std::string stdio_{kStdio};
};

TEST_F(CertFiles, WritesForTheOwnerAloneWhateverTheUmask) {
  const mode_t before = ::umask(0);
  const std::array files{NewFile{key_, SecretText("k"sv)}, NewFile{crt_, SecretText("c"sv)}};
  const auto written = write_new(files);
  ::umask(before);
  ASSERT_TRUE(written) << written.error().text;
  EXPECT_TRUE(written->empty());
  EXPECT_EQ(content_of(key_), "k");
  EXPECT_EQ(content_of(crt_), "c");
  for (const std::string& path : {key_, crt_}) {
    struct stat info;
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0600U);
    EXPECT_EQ(info.st_nlink, 1U);
  }
  EXPECT_EQ(names(), (std::set<std::string>{"a.crt", "a.key"}));
}

TEST_F(CertFiles, WritesAllOrNone) {
  put(crt_, "old");
  const std::array files{NewFile{key_, SecretText("k"sv)}, NewFile{crt_, SecretText("c"sv)}};
  const auto written = write_new(files);
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().text.find("'" + crt_ + "' exists already"), std::string::npos);
  EXPECT_EQ(content_of(crt_), "old");
  EXPECT_EQ(names(), std::set<std::string>{"a.crt"}) << "neither the key nor a temporary file";
}

TEST_F(CertFiles, LeavesNothingBehindWhereItCannotWrite) {
  const std::string lost = folder_.file("none/a.crt");
  const std::array files{NewFile{key_, SecretText("k"sv)}, NewFile{lost, SecretText("c"sv)}};
  const auto written = write_new(files);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().text, "cannot write '" + lost + "': No such file or directory");
  EXPECT_EQ(names(), std::set<std::string>{});
}

TEST_F(CertFiles, DoesNotWriteThroughALinkThatLeadsNowhere) {
  std::filesystem::create_symlink(folder_.file("elsewhere"), key_);
  const std::array outputs{FileFlag{"out-key", key_}};
  EXPECT_FALSE(check_outputs(outputs));
  const std::array files{NewFile{key_, SecretText("k"sv)}};
  EXPECT_FALSE(write_new(files));
  EXPECT_EQ(names(), std::set<std::string>{"a.key"});
}

TEST_F(CertFiles, GivesWhatIsForStandardOutput) {
  const std::array files{NewFile{stdio_, SecretText("shown"sv)}, NewFile{crt_, SecretText("c"sv)}};
  const auto written = write_new(files);
  ASSERT_TRUE(written);
  EXPECT_EQ(written->reveal(), "shown");
  EXPECT_EQ(names(), std::set<std::string>{"a.crt"});
}

TEST_F(CertFiles, FlagsMayNotMeet) {
  const std::string other = folder_.file("b.crt");
  EXPECT_TRUE(check_outputs(std::array{FileFlag{"out-key", key_}, FileFlag{"out-crt", crt_}}));
  EXPECT_TRUE(check_outputs(std::array{FileFlag{"out-key", stdio_}, FileFlag{"out-crt", crt_}}));
  const auto both_out =
      check_outputs(std::array{FileFlag{"out-key", stdio_}, FileFlag{"out-crt", stdio_}});
  ASSERT_FALSE(both_out);
  EXPECT_EQ(both_out.error().text, "-out-key and -out-crt cannot both write to '-'");
  EXPECT_FALSE(check_outputs(std::array{FileFlag{"out-key", key_}, FileFlag{"out-crt", key_}}));
  EXPECT_TRUE(check_inputs(std::array{FileFlag{"ca", stdio_}, FileFlag{"crt", other}}));
  const auto both_in = check_inputs(std::array{FileFlag{"ca", stdio_}, FileFlag{"crt", stdio_}});
  ASSERT_FALSE(both_in);
  EXPECT_EQ(both_in.error().text, "-ca and -crt cannot both read standard input");
}

TEST_F(CertFiles, ReadsWholeFilesUpToALimit) {
  const std::string text(100'000, 'x');  // more than one read
  put(crt_, text);
  EXPECT_EQ(read_whole(crt_).value().reveal(), text);
  put(crt_, std::string((1U << 20U) + 1, 'x'));
  EXPECT_NE(read_whole(crt_).error().text.find("longer than 1 MiB"), std::string::npos);
  EXPECT_EQ(read_whole(key_).error().text, "cannot read '" + key_ + "': No such file or directory");
  EXPECT_NE(read_whole(folder_.file("")).error().text.find("Is a directory"), std::string::npos);
}

}  // namespace
}  // namespace magnetar::cli::cert
