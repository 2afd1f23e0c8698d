// SPDX-License-Identifier: Apache-2.0
// What rtnetlink messages say about how packets leave by one interface: routes of all tables that
// the rules use, as one set of prefixes; and neighbours. Pure, fed message by message.
//
// Of several next hops (ECMP) the first one out of the interface is taken. Rules with a selector
// (source, mark, interface) and routes of a type of service are not followed: their packets take
// the way that the rules without one say.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "dataplane/base/addr.h"
#include "dataplane/tables/fib.h"
#include "drivers/net/link_mirror.h"

struct nlmsghdr;

namespace magnetar {

class RouteMirror {
 public:
  explicit RouteMirror(int interface_index) : index_(interface_index) {}

  void apply(nlmsghdr* message);
  // Before and after everything is listed anew: what the list does not tell is gone.
  void begin_list();
  void end_list();
  // A message did not say which of several like routes went: a new list does.
  [[nodiscard]] bool wants_list() const { return wants_list_; }

  struct RouteChange {
    Prefix prefix;
    std::optional<RouteHop> hop;  // none: no route any more
  };
  // What has changed since the last call, each prefix once.
  [[nodiscard]] std::vector<RouteChange> take_routes();
  [[nodiscard]] std::vector<NeighbourNews> take_neighbours();

 private:
  using Table = std::uint32_t;
  // Routes to one prefix in one table by preference: the lowest metric first.
  struct Candidate {
    RouteHop hop;
    bool several = false;  // of this metric
  };
  using Candidates = std::map<std::uint32_t, Candidate>;
  struct PrefixHash {
    std::size_t operator()(const Prefix& prefix) const {
      return std::hash<IpAddr>{}(prefix.addr) * 131 + prefix.length;
    }
  };
  using Routes = std::unordered_map<Prefix, Candidates, PrefixHash>;

  void apply_route(nlmsghdr* message);
  void apply_rule(nlmsghdr* message);
  void changed(Table table, const Prefix& prefix);
  [[nodiscard]] std::vector<Table> order(bool v4) const;
  [[nodiscard]] std::optional<RouteHop> effective(const Prefix& prefix) const;
  [[nodiscard]] bool is_hidden(const std::vector<Table>& before, const Prefix& prefix) const;

  int index_;
  std::unordered_map<Table, Routes> tables_;
  std::set<std::tuple<bool, std::uint32_t, Table>> rules_;  // IPv4, priority, table
  std::unordered_map<Prefix, RouteHop, PrefixHash> told_;
  std::vector<Prefix> touched_;
  bool all_touched_ = false;
  bool listing_ = false;
  bool wants_list_ = false;
  std::unordered_map<IpAddr, NeighbourNews> neighbours_;  // that are known
  std::vector<NeighbourNews> news_;
  std::set<IpAddr> not_listed_;  // of the neighbours, while a list is read
};

}  // namespace magnetar
