// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/file_text.h"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace magnetar::config {
namespace {

constexpr off_t kMaxSize = 1 << 20;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

std::string last_error() { return std::generic_category().message(errno); }

// Fills `text`, whose size is that of the file; ends early when the file has become shorter.
bool read_all(int fd, std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t got = read(fd, text.data() + done, text.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  text.resize(done);
  return true;
}

}  // namespace

Result<FileText, std::string> read_file(const std::filesystem::path& path) {
  struct stat about {};
  if (stat(path.c_str(), &about) != 0) return fail(last_error());
  if (!S_ISREG(about.st_mode)) return fail(std::string("it is not a regular file"));
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0 || fstat(file.get(), &about) != 0) return fail(last_error());
  if (!S_ISREG(about.st_mode)) return fail(std::string("it is not a regular file"));
  if (about.st_size > kMaxSize) return fail(std::string("it is larger than a mebibyte"));
  std::string text(static_cast<std::size_t>(about.st_size), '\0');
  if (!read_all(file.get(), text)) return fail(last_error());
  return FileText(std::move(text), about.st_mode & 07777U);
}

}  // namespace magnetar::config
