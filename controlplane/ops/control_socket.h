// SPDX-License-Identifier: Apache-2.0
// The operator's door: a unix stream socket on which each client asks one thing and gets one
// answer.
//
//   client: {"command":"tunnels","arguments":["10.42.0.1"]}\n
//   server: {"ok":true,"result":...}\n   or   {"ok":false,"error":"..."}\n   and closes
//
// Never blocks, whatever the clients do: nothing waits for a reader or a writer, requests and the
// number of clients are bounded, and a client beyond that number takes the place of the one that
// was idle longest. Control thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>
#include <sys/types.h>

#include "controlplane/ops/unix_socket.h"
#include "dataplane/base/result.h"

namespace magnetar::ops {

class ControlSocket {
 public:
  static constexpr std::size_t kMaxRequestBytes = 64 * 1024;
  static constexpr std::size_t kMaxClients = 16;

  // Answers a command, or says in a sentence why not. Called from process().
  using Handler = std::function<Result<nlohmann::json, std::string>(
      const std::string& command, const std::vector<std::string>& arguments)>;

  // Creates the socket, for its owner only, and its folder when that is missing. Takes the place of
  // a socket that nobody answers on; fails when a process does.
  [[nodiscard]] static Result<std::unique_ptr<ControlSocket>, std::string> listen(
      const std::string& path, Handler handler);

  // Removes the socket from the file system, unless another has taken its place there.
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

  // Readable whenever process() has something to do: the one descriptor to wait for.
  [[nodiscard]] int fd() const { return epoll_.get(); }
  // Does what can be done without waiting. A call for nothing is harmless.
  void process();

  [[nodiscard]] std::size_t clients() const { return clients_.size(); }

 private:
  using ClientId = std::uint64_t;  // never reused, unlike descriptors

  struct Client {
    UniqueFd fd;
    std::string request;
    std::string answer;      // empty: still reading
    std::size_t sent = 0;    // of the answer
    std::uint64_t seen = 0;  // value of activity_ when it last did something
  };

  ControlSocket(std::string path, Handler handler, UniqueFd listener, UniqueFd epoll);

  void accept_clients();
  void admit(UniqueFd fd);
  void evict_idlest();
  // Each: false when the client is done with and has to go.
  bool serve(ClientId id, Client& client);
  bool read_request(Client& client);
  bool send_answer(ClientId id, Client& client);
  [[nodiscard]] std::string answer_to(std::string_view request);

  std::string path_;
  Handler handler_;
  UniqueFd listener_;
  UniqueFd epoll_;
  dev_t device_ = 0;  // of the socket file
  ino_t inode_ = 0;
  std::map<ClientId, Client> clients_;
  ClientId last_id_ = 0;  // 0 is the listener
  std::uint64_t activity_ = 0;
};

}  // namespace magnetar::ops
