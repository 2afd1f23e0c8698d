// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/cert/files.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/ops/unix_socket.h"

namespace magnetar::cli::cert {
namespace {

using ops::UniqueFd;

constexpr std::size_t kMostBytes = 1U << 20U;

auto failed_on(const std::string& path, std::string_view doing, int error) {
  return failed("cannot " + std::string(doing) + " '" + path +
                "': " + std::generic_category().message(error));
}

auto exists_already(const std::string& path) {
  return failed("'" + path +
                "' exists already and is not overwritten; move it away or name another");
}

bool is_there(const std::string& path) {
  struct stat info;
  return ::lstat(path.c_str(), &info) == 0;  // a dangling link has the name, too
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// A file under a temporary name, and once it is kept, under its own. Gone when this goes, unless it
// was released.
class Draft {
 public:
  [[nodiscard]] static Result<Draft, Problem> write(const std::string& path,
                                                    const SecretText& content);
  ~Draft() {
    if (!name_.empty()) ::unlink(name_.c_str());
  }
  Draft(Draft&& other) noexcept
      : path_(std::move(other.path_)), name_(std::exchange(other.name_, {})) {}
  Draft& operator=(Draft&&) = delete;

  [[nodiscard]] Result<void, Problem> keep();
  void release() { name_.clear(); }

 private:
  explicit Draft(std::string path, std::string name)
      : path_(std::move(path)), name_(std::move(name)) {}

  std::string path_;
  std::string name_;  // the one it has now
};

Result<Draft, Problem> Draft::write(const std::string& path, const SecretText& content) {
  std::string name = folder_of(path) + "/.magnetar-cert-XXXXXX";
  const UniqueFd file{::mkostemp(name.data(), O_CLOEXEC)};  // mode 0600, whatever the umask
  if (file.get() < 0) return failed_on(path, "write", errno);
  Draft draft(path, std::move(name));
  for (std::string_view rest = content.reveal(); !rest.empty();) {
    const ssize_t written = ::write(file.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed_on(path, "write", errno);
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(file.get()) != 0) return failed_on(path, "write", errno);
  return draft;
}

// Gives `from` the name `to`, which must be free. Some file systems cannot ask for that while
// renaming: a second link is refused by all if the name is taken.
int rename_to_new(const char* from, const char* to) {
  if (::renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  if (::link(from, to) != 0) return errno;
  ::unlink(from);
  return 0;
}

Result<void, Problem> Draft::keep() {
  const int error = rename_to_new(name_.c_str(), path_.c_str());
  if (error == EEXIST) return exists_already(path_);
  if (error != 0) return failed_on(path_, "write", error);
  name_ = path_;
  return {};
}

// A new name is safe once its folder is. Some file systems cannot sync a folder: they are left be.
Result<void, Problem> sync_folder_of(const std::string& path) {
  const UniqueFd folder{::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (folder.get() < 0 || ::fsync(folder.get()) == 0 || errno == EINVAL) return {};
  return failed_on(folder_of(path), "sync", errno);
}

}  // namespace

Result<SecretText, Problem> read_whole(const std::string& path) {
  const bool stdio = path == kStdio;
  const std::string shown = stdio ? "standard input" : path;
  const UniqueFd file{stdio ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.get() < 0) return failed_on(shown, "read", errno);
  SecretText text;
  std::array<char, 16384> chunk;
  while (text.reveal().size() <= kMostBytes) {
    const ssize_t got = ::read(file.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    const int error = errno;
    if (got > 0) text.append({chunk.data(), static_cast<std::size_t>(got)});
    sodium_memzero(chunk.data(), chunk.size());
    if (got < 0) return failed_on(shown, "read", error);
    if (got == 0) return text;
  }
  return failed("'" + shown + "' is longer than 1 MiB, which no certificate or key is");
}

Result<void, Problem> check_inputs(std::span<const FileFlag> inputs) {
  std::optional<std::string_view> reader;
  for (const FileFlag& input : inputs) {
    if (input.path != kStdio) continue;
    if (reader)
      return misused("-" + std::string(*reader) + " and -" + std::string(input.flag) +
                     " cannot both read standard input");
    reader = input.flag;
  }
  return {};
}

Result<void, Problem> check_outputs(std::span<const FileFlag> outputs) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j)
      if (outputs[i].path == outputs[j].path)
        return misused("-" + std::string(outputs[j].flag) + " and -" +
                       std::string(outputs[i].flag) + " cannot both write to '" + outputs[i].path +
                       "'");
    if (outputs[i].path != kStdio && is_there(outputs[i].path))
      return exists_already(outputs[i].path);
  }
  return {};
}

Result<SecretText, Problem> write_new(std::span<const NewFile> files) {
  SecretText for_stdout;
  std::vector<Draft> drafts;
  for (const NewFile& file : files) {
    if (file.path == kStdio) {
      for_stdout.append(file.content.reveal());
      continue;
    }
    auto draft = Draft::write(file.path, file.content);
    if (!draft) return fail(std::move(draft).error());
    drafts.push_back(*std::move(draft));
  }
  for (Draft& draft : drafts)
    if (auto kept = draft.keep(); !kept) return fail(std::move(kept).error());
  for (const NewFile& file : files) {
    if (file.path == kStdio) continue;
    if (auto synced = sync_folder_of(file.path); !synced) return fail(std::move(synced).error());
  }
  for (Draft& draft : drafts) draft.release();
  return for_stdout;
}

}  // namespace magnetar::cli::cert
