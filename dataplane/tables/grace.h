// SPDX-License-Identifier: Apache-2.0
// Grace periods (rte_rcu_qsbr): what the control thread takes out of a table is freed only after
// every worker has passed through its loop once.
#pragma once

#include <cstdint>
#include <memory>

struct rte_rcu_qsbr;

namespace magnetar {

class Grace {
 public:
  using Token = std::uint64_t;

  explicit Grace(unsigned workers);
  ~Grace();
  Grace(const Grace&) = delete;
  Grace& operator=(const Grace&) = delete;

  // Worker threads.
  void enter(unsigned worker);      // before the first borrow
  void quiescent(unsigned worker);  // holds no pointer of a table now
  void leave(unsigned worker);      // will borrow nothing until enter()
  void sleep(unsigned worker);      // will borrow nothing until wake(): nobody waits for it
  void wake(unsigned worker);

  // Control thread; neither waits.
  [[nodiscard]] Token start();
  [[nodiscard]] bool passed(Token token);

 private:
  rte_rcu_qsbr* qsbr_;
};

}  // namespace magnetar
