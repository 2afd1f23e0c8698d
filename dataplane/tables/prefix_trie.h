// SPDX-License-Identifier: Apache-2.0
// Prefixes of both families and a number for each: the longest match of an address, found by
// workers while the control thread changes it.
//
// A byte of the address a step, so a route to a /24 is found in three. Not DPDK's rte_fib: that of
// 22.11 has no RCU, so a reader may see a group that was freed and used again, and it takes 64 MiB
// of the workers' packet memory for each family, however few routes there are.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "dataplane/base/addr.h"
#include "dataplane/tables/grace.h"

namespace magnetar {

class PrefixTrie {
 public:
  explicit PrefixTrie(Grace& grace);
  ~PrefixTrie();
  PrefixTrie(const PrefixTrie&) = delete;
  PrefixTrie& operator=(const PrefixTrie&) = delete;

  // Workers. The number of the longest prefix that holds the address (4 or 16 bytes); 0: none.
  [[nodiscard]] std::uint32_t find(const std::byte* addr, bool v4) const {
    const Node* node = (v4 ? v4_ : v6_).get();
    std::uint32_t best = 0;
    for (std::size_t left = v4 ? 4 : 16; left > 0; --left) {
      const auto byte = std::to_integer<std::size_t>(*addr++);
      const std::uint32_t here = node->best[byte].load(std::memory_order_acquire);
      if (here != 0) best = here;
      const Children* children = node->children.load(std::memory_order_acquire);
      if (children == nullptr) break;
      node = (*children)[byte].load(std::memory_order_acquire);
      if (node == nullptr) break;
    }
    return best;
  }

  // Control thread. `value` is not 0; one that is there already is replaced.
  void set(const Prefix& prefix, std::uint32_t value);
  void erase(const Prefix& prefix);
  // Frees what no worker can be looking at any more.
  void reap();

 private:
  struct Node;
  using Children = std::array<std::atomic<Node*>, 256>;
  struct Node {
    Node() = default;
    ~Node();
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
    // For each value of the byte, of the prefixes that end in it; 0: none.
    std::array<std::atomic<std::uint32_t>, 256> best{};
    std::atomic<Children*> children{nullptr};  // made when the first is needed
    // The control thread's. The prefixes that end here, by their place in a binary tree over the
    // byte (the root 1, below n the places 2n and 2n + 1), sorted.
    std::vector<std::pair<std::uint16_t, std::uint32_t>> own;
    unsigned child_count = 0;

    [[nodiscard]] std::uint32_t own_at(unsigned place) const;
    void set_own(unsigned place, std::uint32_t value);
    // Writes anew what lies below `place`.
    void spread(unsigned place);
  };
  struct Path;

  void change(const Prefix& prefix, std::uint32_t value);

  Grace& grace_;
  std::unique_ptr<Node> v4_;
  std::unique_ptr<Node> v6_;
  std::vector<std::pair<Grace::Token, std::unique_ptr<Node>>> retired_;
};

}  // namespace magnetar
