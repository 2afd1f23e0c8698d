// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/client.h"

#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>

#include <fmt/format.h>
#include <sys/time.h>

#include "controlplane/ops/unix_socket.h"

namespace magnetar::cli {
namespace {

using nlohmann::json;

auto no_gateway(const std::string& path, const std::string& why) {
  return fail(CallError{CallError::Kind::kNoGateway,
                        fmt::format("no gateway answers on '{}': {}", path, why)});
}

std::string hint_for(int error) {
  const std::string what = std::generic_category().message(error);
  if (error == ENOENT || error == ECONNREFUSED)
    return what +
           " (is magnetard running, and is [control] socket this path? --socket PATH names "
           "another)";
  if (error == EACCES || error == EPERM) return what + " (the socket is for root)";
  if (error == EAGAIN) return "it takes connections but does not answer in time";
  return what;
}

void set_patience(int fd, std::chrono::milliseconds patience) {
  timeval limit{};
  limit.tv_sec = static_cast<time_t>(patience.count() / 1000);
  limit.tv_usec = static_cast<suseconds_t>(patience.count() % 1000 * 1000);
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));  // connect() heeds it too
}

// False: errno says why.
bool send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

// One line, without its end. The error is an errno; 0: the gateway hung up before the line's end.
Result<std::string, int> receive_line(int fd) {
  std::string line;
  std::array<char, 64 * 1024> chunk;
  while (true) {
    const ssize_t got = ::recv(fd, chunk.data(), chunk.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(int{errno});
    if (got == 0) return fail(0);
    const std::string_view text(chunk.data(), static_cast<std::size_t>(got));
    const std::size_t end = text.find('\n');
    line += text.substr(0, end);
    if (end != std::string_view::npos) return line;
  }
}

}  // namespace

Result<json, CallError> call(const std::string& socket_path, const std::string& command,
                             const std::vector<std::string>& arguments,
                             std::chrono::milliseconds patience) {
  const auto address = ops::unix_address(socket_path);
  if (!address) return no_gateway(socket_path, address.error());
  const ops::UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  set_patience(fd.get(), patience);
  if (::connect(fd.get(), address->get(), address->size) != 0)
    return no_gateway(socket_path, hint_for(errno));

  const json request{{"command", command}, {"arguments", arguments}};
  const auto replace = json::error_handler_t::replace;
  if (!send_all(fd.get(), request.dump(-1, ' ', false, replace) + "\n"))
    return no_gateway(socket_path, hint_for(errno));
  const auto line = receive_line(fd.get());
  if (!line) {
    return no_gateway(socket_path,
                      line.error() == 0 ? "it hung up without an answer" : hint_for(line.error()));
  }

  const json answer = json::parse(*line, nullptr, false);
  const bool complete = answer.is_object() && answer.contains("ok") && answer["ok"].is_boolean();
  if (!complete) return no_gateway(socket_path, "what answers there is no magnetard");
  if (answer["ok"].get<bool>()) return answer.value("result", json());
  const auto error = answer.find("error");
  return fail(CallError{CallError::Kind::kRefused, error != answer.end() && error->is_string()
                                                       ? error->get<std::string>()
                                                       : "the gateway gave no reason"});
}

}  // namespace magnetar::cli
