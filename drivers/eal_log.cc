// SPDX-License-Identifier: Apache-2.0
#include "drivers/eal_log.h"

#include <cstdio>
#include <mutex>

#include <rte_log.h>
#include <sys/types.h>

namespace magnetar {
namespace {

std::mutex reason_lock;
std::string reason;  // under reason_lock

ssize_t write_log(void*, const char* text, std::size_t size) {
  std::string_view line(text, size);
  std::fwrite(line.data(), 1, line.size(), stderr);
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.remove_suffix(1);
  if (!line.empty()) {
    const std::scoped_lock guard(reason_lock);
    reason = line;
  }
  return static_cast<ssize_t>(size);
}

}  // namespace

void redirect_eal_log() {
  cookie_io_functions_t functions{};
  functions.write = write_log;
  std::FILE* stream = fopencookie(nullptr, "w", functions);
  if (stream == nullptr) return;
  std::setvbuf(stream, nullptr, _IOLBF, BUFSIZ);
  rte_openlog_stream(stream);  // takes precedence over the EAL's own stream, which feeds syslog
}

void forget_eal_reason() {
  const std::scoped_lock guard(reason_lock);
  reason.clear();
}

std::string eal_reason(std::string_view otherwise) {
  const std::scoped_lock guard(reason_lock);
  return reason.empty() ? std::string(otherwise) : reason;
}

}  // namespace magnetar
