// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/cert/passphrase.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <termios.h>
#include <unistd.h>

#include "dataplane/base/secret.h"

namespace magnetar::cli::cert {
namespace {

constexpr int kTries = 5;
constexpr std::size_t kLongest = 1024;
constexpr std::array kEndings{SIGINT, SIGTERM, SIGQUIT, SIGHUP};

volatile std::sig_atomic_t ended_by = 0;

// Typed characters are not shown while this lives. A signal that ends the program does so only once
// they are shown again, and stopping it waits.
class Silence {
 public:
  Silence() {
    ended_by = 0;
    struct sigaction action {};
    action.sa_handler = [](int number) { ended_by = number; };  // no SA_RESTART: read() returns
    for (std::size_t i = 0; i < kEndings.size(); ++i)
      ::sigaction(kEndings[i], &action, &endings_before_[i]);
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGTSTP, &ignore, &stop_before_);
    quiet_ = ::tcgetattr(STDIN_FILENO, &shown_) == 0;
    termios hidden = shown_;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    quiet_ = quiet_ && ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) == 0;
  }
  ~Silence() {
    if (quiet_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown_);
    for (std::size_t i = 0; i < kEndings.size(); ++i)
      ::sigaction(kEndings[i], &endings_before_[i], nullptr);
    ::sigaction(SIGTSTP, &stop_before_, nullptr);
    if (ended_by != 0) ::raise(ended_by);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

  [[nodiscard]] bool is_quiet() const { return quiet_; }

 private:
  termios shown_{};
  bool quiet_ = false;
  std::array<struct sigaction, kEndings.size()> endings_before_{};
  struct sigaction stop_before_ {};
};

// A line, without its end.
Result<SecretText, Problem> read_line() {
  Secret<kLongest> typed;
  std::size_t size = 0;
  while (true) {
    std::byte next{};
    const ssize_t got = ::read(STDIN_FILENO, &next, 1);
    if (got < 0 && errno == EINTR && ended_by == 0) continue;
    if (got < 0) return failed("no passphrase: the terminal cannot be read");
    if (got == 0 || next == std::byte{'\n'}) break;
    if (size == kLongest) return failed("the passphrase is longer than 1024 bytes");
    typed.fill()[size++] = next;
  }
  const auto* const text = reinterpret_cast<const char*>(typed.reveal().data());  // NOLINT
  return SecretText(std::string_view(text, size));
}

Result<SecretText, Problem> ask_once() {
  std::fputs("Enter passphrase: ", stderr);
  std::fflush(stderr);
  auto line = [] {
    const Silence silence;
    if (silence.is_quiet()) return read_line();
    return Result<SecretText, Problem>(
        failed("no passphrase: the terminal cannot be kept from showing it"));
  }();
  std::fputs("\n", stderr);
  return line;
}

}  // namespace

Result<SecretText, Problem> ask_passphrase() {
  const char* const given = std::getenv("NEBULA_CA_PASSPHRASE");  // NOLINT: there is one thread
  if (given != nullptr && *given != '\0') return SecretText(std::string_view(given));
  if (::isatty(STDIN_FILENO) == 0)
    return failed(
        "the CA's key wants a passphrase, and standard input is no terminal to ask for it; set "
        "NEBULA_CA_PASSPHRASE");
  for (int i = 0; i < kTries; ++i) {
    auto line = ask_once();
    if (!line || !line->empty()) return line;
  }
  return failed("no passphrase was given");
}

}  // namespace magnetar::cli::cert
