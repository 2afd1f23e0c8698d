// SPDX-License-Identifier: Apache-2.0
#include "dataplane/tables/session_table.h"

#include <atomic>
#include <memory>
#include <thread>

#include <gtest/gtest.h>

#include "drivers/crypto/ipsec_mb.h"
#include "tests/support/data_plane.h"
#include "tests/support/eal.h"

namespace magnetar {
namespace {

using testing::make_session;
using testing::PeerSpec;

const UnderlayAddr kOwn{IpAddr::v4(0xc0000201), 4242};

struct SessionTables : ::testing::Test {
  static void SetUpTestSuite() { testing::ensure_eal(); }

  Grace grace{2};
  SessionTable table{16, grace};
  std::unique_ptr<Aead> aead = make_ipsec_mb(Cipher::kAes256Gcm);
  PeerSpec spec;
};

TEST_F(SessionTables, FindsByTheWholeIndex) {
  spec.local = LocalIndex{0xdeadbee5};
  table.publish(make_session(spec, *aead, kOwn));
  EXPECT_NE(table.find(LocalIndex{0xdeadbee5}), nullptr);
  EXPECT_EQ(table.find(LocalIndex{0xdeadbef5}), nullptr) << "same slot, another index";
  EXPECT_EQ(table.find(LocalIndex{0xdeadbee6}), nullptr) << "another slot";
}

TEST_F(SessionTables, FreesOnlyAfterEveryWorkerWasQuiescent) {
  grace.enter(0);
  grace.enter(1);
  table.publish(make_session(spec, *aead, kOwn));
  const std::weak_ptr<SessionHot> alive = table.find(spec.local)->owned_hot;
  table.retire(spec.local);
  EXPECT_EQ(table.find(spec.local), nullptr);
  EXPECT_EQ(table.reap(), 1U);
  grace.quiescent(0);
  EXPECT_EQ(table.reap(), 1U);
  EXPECT_FALSE(alive.expired());
  grace.quiescent(1);
  EXPECT_EQ(table.reap(), 0U);
  EXPECT_TRUE(alive.expired());
  grace.leave(0);
  grace.leave(1);
}

TEST_F(SessionTables, ASessionIsAwaitedUntilItIsThereOrGivenUp) {
  const LocalIndex neighbour{spec.local.raw() ^ 0x100};  // of the same slot
  EXPECT_FALSE(table.is_awaited(spec.local));
  EXPECT_FALSE(table.is_awaited(LocalIndex{0})) << "is nobody's, and anybody can send it";
  table.await(spec.local);
  EXPECT_TRUE(table.is_awaited(spec.local));
  EXPECT_FALSE(table.is_awaited(neighbour));
  EXPECT_EQ(table.find(spec.local), nullptr);
  table.unawait(spec.local);
  EXPECT_FALSE(table.is_awaited(spec.local));
  table.await(spec.local);
  table.publish(make_session(spec, *aead, kOwn));
  EXPECT_FALSE(table.is_awaited(spec.local));
  EXPECT_NE(table.find(spec.local), nullptr);
}

// A session that moves again and again: its own room is written to only when no worker reads it.
TEST_F(SessionTables, ARemoteLiesInItsSessionWhereThereIsRoom) {
  grace.enter(0);
  table.publish(make_session(spec, *aead, kOwn));
  const Session& session = *table.find(spec.local);
  SessionHot& hot = *session.hot;
  const auto move_to = [&](std::uint16_t port) {
    auto remote = std::make_unique<Remote>(*hot.remote.load());
    remote->addr.port = port;
    table.move(session, std::move(remote));
    EXPECT_EQ(hot.remote.load()->addr.port, port);
    return hot.remote.load() == &hot.nearby;
  };
  EXPECT_EQ(hot.remote.load(), &hot.nearby);
  const Remote& read_by_a_worker = *hot.remote.load();
  EXPECT_FALSE(move_to(1));
  EXPECT_FALSE(move_to(2)) << "the worker has not been quiescent";
  EXPECT_EQ(read_by_a_worker.addr, spec.addr);
  grace.quiescent(0);
  EXPECT_EQ(table.reap(), 0U);
  EXPECT_TRUE(move_to(3));
  EXPECT_FALSE(move_to(4));
  grace.leave(0);
}

// Publication and retirement under a reader's feet: what TSan and ASan are for.
TEST_F(SessionTables, ReadersNeverSeeAFreedSession) {
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> seen{0};
  std::thread reader([&] {
    grace.enter(0);
    while (!stop) {
      if (const Session* session = table.find(spec.local)) {
        EXPECT_EQ(session->remote_index, spec.remote);
        EXPECT_TRUE(session->hot->remote.load(std::memory_order_acquire)->reachable());
        seen += session->hot->reserve(1) > 2 ? 1 : 0;
      }
      grace.quiescent(0);
    }
    grace.leave(0);
  });
  for (int i = 0; i < 2000 || seen == 0; ++i) {
    table.publish(make_session(spec, *aead, kOwn));
    auto elsewhere = std::make_unique<Remote>(*table.find(spec.local)->hot->remote.load());
    table.move(*table.find(spec.local), std::move(elsewhere));
    table.retire(spec.local);
    table.reap();
  }
  stop = true;
  reader.join();
  EXPECT_EQ(table.reap(), 0U);
}

}  // namespace
}  // namespace magnetar
