// SPDX-License-Identifier: Apache-2.0
#include "dataplane/tables/grace.h"

#include <cstdlib>

#include <rte_rcu_qsbr.h>

#include "dataplane/base/check.h"

namespace magnetar {

Grace::Grace(unsigned workers) {
  const std::size_t size = rte_rcu_qsbr_get_memsize(workers);
  const std::size_t aligned = (size + 63) / 64 * 64;
  qsbr_ = static_cast<rte_rcu_qsbr*>(std::aligned_alloc(64, aligned));
  MAGNETAR_CHECK(qsbr_ != nullptr);
  MAGNETAR_CHECK(rte_rcu_qsbr_init(qsbr_, workers) == 0);
}

Grace::~Grace() { std::free(qsbr_); }

void Grace::enter(unsigned worker) {
  MAGNETAR_CHECK(rte_rcu_qsbr_thread_register(qsbr_, worker) == 0);
  rte_rcu_qsbr_thread_online(qsbr_, worker);
}

void Grace::quiescent(unsigned worker) { rte_rcu_qsbr_quiescent(qsbr_, worker); }

void Grace::leave(unsigned worker) {
  rte_rcu_qsbr_thread_offline(qsbr_, worker);
  MAGNETAR_CHECK(rte_rcu_qsbr_thread_unregister(qsbr_, worker) == 0);
}

void Grace::sleep(unsigned worker) { rte_rcu_qsbr_thread_offline(qsbr_, worker); }
void Grace::wake(unsigned worker) { rte_rcu_qsbr_thread_online(qsbr_, worker); }

Grace::Token Grace::start() { return rte_rcu_qsbr_start(qsbr_); }

bool Grace::passed(Token token) { return rte_rcu_qsbr_check(qsbr_, token, false) == 1; }

}  // namespace magnetar
