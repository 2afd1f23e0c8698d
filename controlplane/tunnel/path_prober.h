// SPDX-License-Identifier: Apache-2.0
// Finds what each tunnel's path carries (outside.path_mtu = "probe"): a probe is a test request
// padded to the size in question, which Nebula answers with the same bytes. The answer is
// authentic, and took the way back in the same size. Control thread only.
#pragma once

#include "controlplane/tunnel/core.h"

namespace magnetar {

class PathProber {
 public:
  explicit PathProber(Core& core) : core_(core) {}

  void on_time(Now now, Actions& out);
  // An answer to a test, perhaps one of these.
  void on_answer(Tunnel& tunnel, ByteView body, Now now, Actions& out);
  // The peer is elsewhere: that is another path.
  void on_moved(const Tunnel& tunnel, Now now);

 private:
  void look_at(LocalIndex local, Now now, Actions& out);
  void follow(Tunnel& tunnel, PathState& path, const PathMtu::Step& step, Now now, Actions& out);

  Core& core_;
};

// A new tunnel, or one with a new path: searched for from the most that the port carries.
void begin_path(Core& core, const Tunnel& tunnel, Now now);

}  // namespace magnetar
