// SPDX-License-Identifier: Apache-2.0
#include "controlplane/ops/control_socket.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "controlplane/ops/json.h"

namespace magnetar::ops {
namespace {

using nlohmann::json;

constexpr std::uint64_t kListenerId = 0;
constexpr int kBacklog = 16;

std::string because(int error, std::string_view what, const std::string& path) {
  return fmt::format("{} '{}': {}", what, path, std::generic_category().message(error));
}

bool watch(int epoll, int operation, int fd, std::uint32_t events, std::uint64_t id) {
  epoll_event event{.events = events, .data = {.u64 = id}};
  return ::epoll_ctl(epoll, operation, fd, &event) == 0;
}

// None: there is a folder for the socket now.
std::optional<std::string> make_folder(const std::string& path) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(path).parent_path();
  std::error_code error;
  if (folder.empty() || !fs::create_directories(folder, error)) {
    if (!error) return std::nullopt;
    return fmt::format("cannot create the folder '{}': {}", folder.string(), error.message());
  }
  // The umask has no say in who may find the socket.
  fs::permissions(folder, fs::perms(0755), error);
  return std::nullopt;
}

// None: nothing is in the way of a new socket at `path` any more.
std::optional<std::string> clear_the_way(const std::string& path, const UnixAddress& address) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return std::nullopt;
    return because(errno, "cannot look at", path);
  }
  if (!S_ISSOCK(status.st_mode)) return fmt::format("'{}' is in the way and is no socket", path);
  const UniqueFd probe{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!probe) return because(errno, "cannot create a socket for", path);
  // Only a refusal proves that its process is gone: a full backlog, say, does not.
  if (::connect(probe.get(), address.get(), address.size) == 0 || errno != ECONNREFUSED)
    return fmt::format("another gateway answers on '{}'", path);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return because(errno, "cannot remove what a dead process left:", path);
  return std::nullopt;
}

std::string error_line(const std::string& error) {
  return dump({{"ok", false}, {"error", error}}) + "\n";
}

// The command and its arguments, or what is wrong with the request.
Result<std::pair<std::string, std::vector<std::string>>, std::string> parse_request(
    std::string_view line) {
  const json request = json::parse(line, nullptr, false);
  if (!request.is_object()) return fail(std::string("the request is no JSON object"));
  const auto command = request.find("command");
  if (command == request.end() || !command->is_string())
    return fail(std::string("the request lacks \"command\", a string"));
  std::vector<std::string> arguments;
  if (const auto list = request.find("arguments"); list != request.end()) {
    const auto is_text = [](const json& element) { return element.is_string(); };
    if (!list->is_array() || !std::ranges::all_of(*list, is_text))
      return fail(std::string("\"arguments\" is no list of strings"));
    arguments = list->get<std::vector<std::string>>();
  }
  return std::pair{command->get<std::string>(), std::move(arguments)};
}

}  // namespace

Result<std::unique_ptr<ControlSocket>, std::string> ControlSocket::listen(const std::string& path,
                                                                          Handler handler) {
  const auto address = unix_address(path);
  if (!address) return fail(address.error());
  if (auto error = make_folder(path)) return fail(std::move(*error));
  if (auto error = clear_the_way(path, *address)) return fail(std::move(*error));

  UniqueFd listener{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  if (!listener || !epoll) return fail(because(errno, "cannot create a socket for", path));
  // Before bind(): the file gets the mode of the socket, so at no moment may others open it.
  if (::fchmod(listener.get(), 0600) != 0 ||
      ::bind(listener.get(), address->get(), address->size) != 0) {
    return fail(because(errno, "cannot create the socket", path));
  }
  std::unique_ptr<ControlSocket> socket{
      new ControlSocket(path, std::move(handler), std::move(listener), std::move(epoll))};
  if (::listen(socket->listener_.get(), kBacklog) != 0 ||
      !watch(socket->fd(), EPOLL_CTL_ADD, socket->listener_.get(), EPOLLIN, kListenerId)) {
    return fail(because(errno, "cannot listen on", path));
  }
  return socket;
}

ControlSocket::ControlSocket(std::string path, Handler handler, UniqueFd listener, UniqueFd epoll)
    : path_(std::move(path)),
      handler_(std::move(handler)),
      listener_(std::move(listener)),
      epoll_(std::move(epoll)) {
  struct stat status {};
  if (::lstat(path_.c_str(), &status) == 0) {
    device_ = status.st_dev;
    inode_ = status.st_ino;
  }
}

ControlSocket::~ControlSocket() {
  struct stat status {};
  const bool ours =
      ::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_;
  if (ours) ::unlink(path_.c_str());
}

void ControlSocket::process() {
  std::array<epoll_event, kMaxClients + 1> events{};
  const int ready = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < ready; ++i) {
    const ClientId id = events[static_cast<std::size_t>(i)].data.u64;
    if (id == kListenerId) {
      accept_clients();
    } else if (const auto found = clients_.find(id); found != clients_.end()) {
      // What the events say is not looked at: reading or writing tells the same, and truly.
      if (!serve(id, found->second)) clients_.erase(found);
    }
  }
}

void ControlSocket::accept_clients() {
  for (int accepted = 0; accepted < kBacklog; ++accepted) {
    UniqueFd fd{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (fd) {
      admit(std::move(fd));
      continue;
    }
    if (errno == EMFILE || errno == ENFILE) evict_idlest();  // or the loop would spin on it
    if (errno != ECONNABORTED && errno != EINTR) return;
  }
}

void ControlSocket::admit(UniqueFd fd) {
  if (clients_.size() == kMaxClients) evict_idlest();
  const ClientId id = ++last_id_;
  if (!watch(epoll_.get(), EPOLL_CTL_ADD, fd.get(), EPOLLIN, id)) return;
  Client& client = clients_[id];
  client.fd = std::move(fd);
  client.seen = ++activity_;
}

void ControlSocket::evict_idlest() {
  const auto idlest =
      std::ranges::min_element(clients_, {}, [](const auto& entry) { return entry.second.seen; });
  if (idlest != clients_.end()) clients_.erase(idlest);
}

bool ControlSocket::serve(ClientId id, Client& client) {
  if (client.answer.empty() && !read_request(client)) return false;
  return client.answer.empty() || send_answer(id, client);
}

bool ControlSocket::read_request(Client& client) {
  std::array<char, 4096> chunk;
  while (client.request.size() <= kMaxRequestBytes) {
    const ssize_t got = ::recv(client.fd.get(), chunk.data(), chunk.size(), 0);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;  // went away before the end of its request
    client.seen = ++activity_;
    const std::string_view text(chunk.data(), static_cast<std::size_t>(got));
    const std::size_t end = text.find('\n');
    client.request += text.substr(0, end);
    if (end != std::string_view::npos && client.request.size() <= kMaxRequestBytes) {
      client.answer = answer_to(client.request);
      return true;
    }
  }
  client.answer =
      error_line("the request is longer than " + std::to_string(kMaxRequestBytes) + " bytes");
  return true;
}

bool ControlSocket::send_answer(ClientId id, Client& client) {
  while (client.sent < client.answer.size()) {
    const std::string_view rest = std::string_view(client.answer).substr(client.sent);
    const ssize_t sent = ::send(client.fd.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      // Wait for the reader, and no longer for what it might still send.
      return errno == EAGAIN && watch(epoll_.get(), EPOLL_CTL_MOD, client.fd.get(), EPOLLOUT, id);
    }
    client.sent += static_cast<std::size_t>(sent);
    client.seen = ++activity_;
  }
  return false;
}

std::string ControlSocket::answer_to(std::string_view request) {
  const auto parsed = parse_request(request);
  if (!parsed) return error_line(parsed.error());
  auto result = handler_(parsed->first, parsed->second);
  if (!result) return error_line(result.error());
  return dump({{"ok", true}, {"result", std::move(*result)}}) + "\n";
}

}  // namespace magnetar::ops
