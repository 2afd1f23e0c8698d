// SPDX-License-Identifier: Apache-2.0
#include "dataplane/tables/prefix_trie.h"

#include <algorithm>

namespace magnetar {
namespace {

constexpr unsigned kLeaves = 256;  // places of whole bytes begin here

}  // namespace

PrefixTrie::Node::~Node() {
  const std::unique_ptr<Children> all(children.load(std::memory_order_relaxed));
  if (all == nullptr) return;
  for (std::atomic<Node*>& child : *all) delete child.load(std::memory_order_relaxed);
}

std::uint32_t PrefixTrie::Node::own_at(unsigned place) const {
  const auto at =
      std::ranges::lower_bound(own, place, {}, [](const auto& one) { return one.first; });
  return at != own.end() && at->first == place ? at->second : 0;
}

void PrefixTrie::Node::set_own(unsigned place, std::uint32_t value) {
  const auto at =
      std::ranges::lower_bound(own, place, {}, [](const auto& one) { return one.first; });
  const bool there = at != own.end() && at->first == place;
  if (value == 0) {
    if (there) own.erase(at);
  } else if (there) {
    at->second = value;
  } else {
    own.insert(at, {static_cast<std::uint16_t>(place), value});
  }
}

void PrefixTrie::Node::spread(unsigned place) {
  unsigned depth = 0;
  while (place >> depth > 1) ++depth;
  const unsigned first = (place << (8 - depth)) - kLeaves;
  const unsigned count = kLeaves >> depth;
  for (unsigned leaf = first; leaf < first + count; ++leaf) {
    std::uint32_t value = 0;
    for (unsigned at = leaf + kLeaves; at > 0 && value == 0; at /= 2) value = own_at(at);
    if (best[leaf].load(std::memory_order_relaxed) != value)
      best[leaf].store(value, std::memory_order_release);
  }
}

PrefixTrie::PrefixTrie(Grace& grace)
    : grace_(grace), v4_(std::make_unique<Node>()), v6_(std::make_unique<Node>()) {}
PrefixTrie::~PrefixTrie() = default;

void PrefixTrie::set(const Prefix& prefix, std::uint32_t value) { change(prefix, value); }
void PrefixTrie::erase(const Prefix& prefix) { change(prefix, 0); }

// The nodes on the way to where a prefix ends. A node on it that is not there is made for a value,
// and needs none made to erase.
struct PrefixTrie::Path {
  std::array<Node*, 16> nodes{};
  std::size_t depth = 0;  // of the last
};

void PrefixTrie::change(const Prefix& prefix, std::uint32_t value) {
  const Prefix network = prefix.masked();
  const ByteView bytes = network.addr.network_bytes();
  Path path;
  path.nodes[0] = (network.addr.is_v4() ? v4_ : v6_).get();
  const std::size_t last = network.length == 0 ? 0 : (network.length - 1U) / 8U;
  for (; path.depth < last; ++path.depth) {
    Node& node = *path.nodes[path.depth];
    Children* children = node.children.load(std::memory_order_relaxed);
    if (children == nullptr) {
      if (value == 0) return;
      children = new Children{};
      node.children.store(children, std::memory_order_release);
    }
    std::atomic<Node*>& slot = (*children)[std::to_integer<std::size_t>(bytes[path.depth])];
    if (slot.load(std::memory_order_relaxed) == nullptr) {
      if (value == 0) return;
      slot.store(new Node, std::memory_order_release);
      ++node.child_count;
    }
    path.nodes[path.depth + 1] = slot.load(std::memory_order_relaxed);
  }
  Node& end = *path.nodes[last];
  const unsigned bits = network.length - static_cast<unsigned>(8 * last);
  const unsigned byte = std::to_integer<unsigned>(bytes[last]);
  const unsigned place = (1U << bits) | (byte >> (8 - bits));
  end.set_own(place, value);
  end.spread(place);
  if (value != 0) return;
  // Nodes that hold nothing any more, from the last one up.
  for (std::size_t i = last; i > 0; --i) {
    if (!path.nodes[i]->own.empty() || path.nodes[i]->child_count > 0) return;
    Node& parent = *path.nodes[i - 1];
    (*parent.children.load(std::memory_order_relaxed))[std::to_integer<std::size_t>(bytes[i - 1])]
        .store(nullptr, std::memory_order_release);
    --parent.child_count;
    retired_.emplace_back(grace_.start(), std::unique_ptr<Node>(path.nodes[i]));
  }
}

void PrefixTrie::reap() {
  std::erase_if(retired_, [&](const auto& old) { return grace_.passed(old.first); });
}

}  // namespace magnetar
