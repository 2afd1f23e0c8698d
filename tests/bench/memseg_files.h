// SPDX-License-Identifier: Apache-2.0
// DPDK 22.11's memif driver, zero-copy, closes the files of the EAL's memory once a port is
// connected, as if they were its own, and the next port has none to offer to its peer. This keeps
// copies of them.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <rte_memory.h>
#include <unistd.h>

namespace magnetar::bench {

class MemsegFiles {
 public:
  MemsegFiles() {
    const auto keep = [](const rte_memseg_list*, const rte_memseg* segment, void* self) {
      static_cast<MemsegFiles*>(self)->keep(rte_memseg_get_fd_thread_unsafe(segment));
      return 0;
    };
    rte_memseg_walk(keep, this);
  }
  ~MemsegFiles() {
    for (const auto& [original, copy] : files_) close(copy);
  }
  MemsegFiles(const MemsegFiles&) = delete;
  MemsegFiles& operator=(const MemsegFiles&) = delete;

  // Opens again, under their old numbers, those that were closed.
  void mend() const {
    for (const auto& [original, copy] : files_)
      if (fcntl(original, F_GETFD) < 0) dup2(copy, original);
  }

 private:
  void keep(int fd) {
    const auto is_it = [fd](const auto& file) { return file.first == fd; };
    if (fd < 0 || std::ranges::any_of(files_, is_it)) return;
    if (const int copy = dup(fd); copy >= 0) files_.emplace_back(fd, copy);
  }

  std::vector<std::pair<int, int>> files_;
};

}  // namespace magnetar::bench
