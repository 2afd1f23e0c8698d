// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/cert/limits.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/ops/time_text.h"

namespace magnetar::cli::cert {
namespace {

std::string shown(WallTime time) { return ops::rfc3339(ops::unix_seconds(time)); }

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ", ") + text;
  return all;
}

Result<void, Problem> check_networks(std::string_view flag, const std::vector<Prefix>& networks,
                                     const std::vector<Prefix>& allowed) {
  if (allowed.empty()) return {};
  std::vector<std::string> texts;
  for (const Prefix& each : allowed) texts.push_back(each.to_string());
  for (const Prefix& network : networks) {
    if (std::ranges::any_of(allowed, [&](const Prefix& a) { return a.contains(network); }))
      continue;
    return failed("-" + std::string(flag) + ": " + network.to_string() +
                  " is not within what the CA may give out: " + joined(texts));
  }
  return {};
}

Result<void, Problem> check_groups(const std::vector<std::string>& groups,
                                   const std::vector<std::string>& allowed) {
  if (allowed.empty()) return {};
  for (const std::string& group : groups)
    if (std::ranges::find(allowed, group) == allowed.end())
      return failed("-groups: '" + group +
                    "' is not among those the CA may give out: " + joined(allowed));
  return {};
}

Result<void, Problem> check_times(const pki::Request& request, const pki::Certificate& ca) {
  if (request.not_before < ca.not_before)
    return failed("the CA is valid from " + shown(ca.not_before) + " on, and not yet");
  if (request.not_after > ca.not_after)
    return failed("-duration: it would end on " + shown(request.not_after) +
                  ", after its CA, which ends on " + shown(ca.not_after) +
                  "; without -duration it ends a second before");
  return {};
}

}  // namespace

Result<void, Problem> check_limits(const pki::Request& request, const pki::Certificate& ca) {
  if (auto good = check_times(request, ca); !good) return good;
  if (auto good = check_groups(request.groups, ca.groups); !good) return good;
  if (auto good = check_networks("networks", request.networks, ca.networks); !good) return good;
  return check_networks("unsafe-networks", request.unsafe_networks, ca.unsafe_networks);
}

}  // namespace magnetar::cli::cert
