// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/diff.h"

#include <algorithm>

namespace magnetar::config {
namespace {

using Keys = std::vector<std::string>;

template <typename T>
void compare(Keys& keys, const char* key, const T& before, const T& after) {
  if (before != after) keys.emplace_back(key);
}

}  // namespace

std::vector<std::string> needs_restart(const Config& before, const Config& after) {
  Keys keys;
  const auto& [a, b] = std::pair(&before, &after);
  // Every worker and the TUN device were set up for these (Nebula refuses the same).
  compare(keys, "pki.cert (its networks)", a->identity->widest().networks,
          b->identity->widest().networks);
  compare(keys, "pki.cert (its unsafe networks)", a->identity->widest().unsafe_networks,
          b->identity->widest().unsafe_networks);
  compare(keys, "pki.cert (its curve)", a->identity->curve(), b->identity->curve());
  compare(keys, "pki.disconnect_invalid", a->disconnect_invalid, b->disconnect_invalid);
  compare(keys, "outside.port", a->outside.port, b->outside.port);
  compare(keys, "outside.backend", a->outside.backend, b->outside.backend);
  compare(keys, "outside.addresses", a->outside.addresses, b->outside.addresses);
  compare(keys, "outside.gateway", a->outside.gateways, b->outside.gateways);
  compare(keys, "outside.listen_port", a->outside.listen_port, b->outside.listen_port);
  compare(keys, "outside.mtu", a->outside.mtu, b->outside.mtu);
  compare(keys, "outside.path_mtu", a->outside.probe_path_mtu, b->outside.probe_path_mtu);
  compare(keys, "outside.queues", a->outside.queues, b->outside.queues);
  compare(keys, "inside.device", std::pair(a->inside.port, a->inside.vhost),
          std::pair(b->inside.port, b->inside.vhost));
  compare(keys, "inside.addresses", a->inside.addresses, b->inside.addresses);
  compare(keys, "inside.name", a->inside.name, b->inside.name);
  compare(keys, "inside.mtu", a->inside.mtu, b->inside.mtu);
  compare(keys, "inside.queues", a->inside.queues, b->inside.queues);
  compare(keys, "inside.offloads", a->inside.offloads, b->inside.offloads);
  compare(keys, "workers.cores", a->workers.cores, b->workers.cores);
  compare(keys, "workers.control_core", a->workers.control_core, b->workers.control_core);
  compare(keys, "workers.memory", a->workers.memory, b->workers.memory);
  compare(keys, "workers.idle", a->workers.idle, b->workers.idle);
  compare(keys, "tunnels.cipher", a->tunnels.cipher, b->tunnels.cipher);
  compare(keys, "tunnels.max", a->tunnels.max, b->tunnels.max);
  compare(keys, "handshake.try_interval_ms", a->handshake.try_interval, b->handshake.try_interval);
  compare(keys, "handshake.retries", a->handshake.retries, b->handshake.retries);
  compare(keys, "handshake.queued_packets", a->handshake.queued_packets,
          b->handshake.queued_packets);
  compare(keys, "handshake.max_per_second", a->handshake.max_per_second,
          b->handshake.max_per_second);
  compare(keys, "metrics.listen", a->metrics_listen, b->metrics_listen);
  compare(keys, "control.socket", a->control_socket, b->control_socket);
  return keys;
}

std::vector<std::string> changed_live(const Config& before, const Config& after) {
  Keys keys;
  const Identity& a = *before.identity;
  const Identity& b = *after.identity;
  const auto fingerprints = [](const Identity& of) {
    std::vector<pki::Fingerprint> all;
    for (const auto& [fingerprint, ca] : of.cas.cas()) all.push_back(fingerprint);
    return all;
  };
  const auto certificates = [](const Identity& of) {
    std::vector<pki::Fingerprint> all;
    for (const std::uint8_t version : {std::uint8_t{1}, std::uint8_t{2}})
      if (const auto* one = of.find(version)) all.push_back(one->fingerprint);
    return all;
  };
  compare(keys, "pki.ca", fingerprints(a), fingerprints(b));
  compare(keys, "pki.cert", certificates(a), certificates(b));
  compare(keys, "pki.initiating_version", a.certificate.version, b.certificate.version);
  if (!(a.private_key == b.private_key)) keys.emplace_back("pki.key");
  compare(keys, "pki.blocklist", a.blocklist, b.blocklist);
  compare(keys, "inside.clamp_mss", before.inside.clamp_mss, after.inside.clamp_mss);
  compare(keys, "tunnels.static", before.tunnels.static_remotes, after.tunnels.static_remotes);
  compare(keys, "log.level", before.log_level, after.log_level);
  compare(keys, "log.format", before.log_format, after.log_format);
  return keys;
}

}  // namespace magnetar::config
