// SPDX-License-Identifier: Apache-2.0
// Copies that live on by themselves, and descriptions that tell states apart.
#include "controlplane/tunnel/describe.h"

#include <map>

#include <gtest/gtest.h>

#include "tests/unit/controlplane/tunnel/pair.h"

namespace magnetar {
namespace {

using namespace testing;
using namespace std::chrono_literals;

// Everything as text; what is random by the order in which it is met.
class TextSink final : public DigestSink {
 public:
  void label(std::string_view name) override { text += std::string(name) + '\n'; }
  void value(ByteView bytes) override { text += "v" + to_text(bytes) + '\n'; }
  void number(std::uint64_t number) override { text += "n" + std::to_string(number) + '\n'; }
  void index(std::uint32_t index) override { name("i" + std::to_string(index)); }
  void opaque(ByteView bytes) override { name("o" + to_text(bytes)); }
  void stamp(std::uint64_t) override { text += "s\n"; }
  void timer(Duration from_now) override { text += "t" + std::to_string(from_now.count()) + '\n'; }

  std::string text;

 private:
  void name(const std::string& random) {
    text += std::to_string(names_.emplace(random, names_.size()).first->second) + '\n';
  }
  std::map<std::string, std::size_t> names_;
};

std::string described(const ControlPlane& control, Now now) {
  TextSink sink;
  control.describe_state(now, sink);
  return sink.text;
}

struct Story {
  ControlHost alice;
  ControlHost bob;
  explicit Story(const Authority& authority, std::uint64_t seed)
      : alice(authority.shared_host("alice", "10.42.0.1/16", 0xa1), kAliceAt,
              knowing(kBob, {kBobAt}), seed),
        bob(authority.shared_host("bob", "10.42.0.2/16", 0xb0), kBobAt, {}, seed + 1) {}
};

TEST(DescribeState, TellsEachStepFromTheOneBeforeAndNotOneSeedFromAnother) {
  const Authority authority;
  Story one(authority, 10);
  Story other(authority, 20);
  std::vector<std::string> seen;
  const auto same = [&](const char* step) {
    SCOPED_TRACE(step);
    const std::string text =
        described(one.alice.control, one.alice.now) + described(one.bob.control, one.bob.now);
    EXPECT_EQ(text, described(other.alice.control, other.alice.now) +
                        described(other.bob.control, other.bob.now));
    EXPECT_EQ(std::ranges::find(seen, text), seen.end());
    seen.push_back(text);
  };
  same("nothing");
  std::vector<Bytes> stage_2;
  for (Story* const story : {&one, &other}) {
    const Actions sent = story->alice.packet(kBob, "hello");
    stage_2.push_back(
        only<SendDatagram>(story->bob.receive(kAliceAt, only<SendDatagram>(sent).bytes)).bytes);
  }
  same("stage 1 answered");
  for (Story* const story : {&one, &other}) story->alice.packet(kBob, "and another");
  same("a second packet waits");
  for (Story* const story : {&one, &other}) story->alice.pass(10ms);
  same("time goes by");
  one.alice.receive(kBobAt, stage_2[0]);
  other.alice.receive(kBobAt, stage_2[1]);
  same("the tunnel stands");
  for (Story* const story : {&one, &other})
    story->bob.moved(story->bob.control.tunnels()[0].local_index, kEveAt);
  same("alice moved");
}

TEST(Clone, LivesOnByItself) {
  Pair pair;
  const Bytes stage_1 = pair.stage_1();
  SeededRandom random(99);
  const auto copy = pair.alice.control.clone(random);
  EXPECT_EQ(described(*copy, pair.alice.now), described(pair.alice.control, pair.alice.now));

  // The copy finishes the handshake; the original still waits and finishes it, too.
  const Bytes stage_2 = only<SendDatagram>(pair.bob.receive(kAliceAt, stage_1)).bytes;
  Actions out;
  copy->on_handshake(kBobAt, *wire::parse_header(stage_2), stage_2, pair.alice.now, out);
  EXPECT_EQ(only<SendQueued>(out).packets.size(), 1U);
  EXPECT_EQ(pair.alice.control.tunnels_pending(), 1U);
  const Actions original = pair.alice.receive(kBobAt, stage_2);
  EXPECT_EQ(only<OpenSession>(original).send_key, only<OpenSession>(out).send_key);

  const auto standing = pair.alice.control.clone(random);
  EXPECT_EQ(described(*standing, pair.alice.now), described(pair.alice.control, pair.alice.now));
  pair.alice.close(kBob);
  EXPECT_EQ(standing->tunnels_up(), 1U);
  out.clear();
  EXPECT_TRUE(standing->close(kBob, pair.alice.now, out));
  EXPECT_EQ(all<CloseSession>(out).size(), 1U);
}

}  // namespace
}  // namespace magnetar
