// SPDX-License-Identifier: Apache-2.0
#include "drivers/eal.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>

#include <rte_eal.h>
#include <rte_errno.h>
#include <sched.h>

#include "drivers/eal_log.h"

namespace magnetar {
namespace {

constexpr std::uint64_t kKib = 1024;
constexpr std::uint64_t kDefaultPageMib = 2;

std::string lcores(const EalOptions& options) {
  std::string text = "--lcores=0@" + std::to_string(options.control_core);
  for (std::size_t i = 0; i < options.worker_cores.size(); ++i)
    text.append(",")
        .append(std::to_string(i + 1))
        .append("@")
        .append(std::to_string(options.worker_cores[i]));
  return text;
}

bool wants_hugepages(const EalOptions& options, std::uint64_t free_mib) {
  if (options.memory == EalMemory::kAuto) return free_mib >= options.memory_mib;
  return options.memory == EalMemory::kHugepages;
}

std::uint64_t read_number(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::uint64_t value = 0;
  file >> value;
  return file ? value : 0;
}

// The EAL panics instead of failing on a core that the kernel will not run us on.
std::optional<unsigned> unusable_core(const EalOptions& options) {
  cpu_set_t before;
  if (sched_getaffinity(0, sizeof(before), &before) != 0) return std::nullopt;
  std::vector<unsigned> cores = options.worker_cores;
  cores.push_back(options.control_core);
  std::optional<unsigned> refused;
  for (const unsigned core : cores) {
    cpu_set_t wanted;
    CPU_ZERO(&wanted);
    if (core < CPU_SETSIZE) CPU_SET(core, &wanted);
    if (sched_setaffinity(0, sizeof(wanted), &wanted) != 0) refused = core;
  }
  sched_setaffinity(0, sizeof(before), &before);
  return refused;
}

std::string too_few_hugepages(std::uint64_t wanted_mib, std::uint64_t free_mib) {
  const std::uint64_t pages_now = read_number("/proc/sys/vm/nr_hugepages");
  const std::uint64_t missing = (wanted_mib - free_mib + kDefaultPageMib - 1) / kDefaultPageMib;
  return "memory = \"hugepages\": " + std::to_string(wanted_mib) + " MiB are needed, " +
         std::to_string(free_mib) +
         " MiB are free: sysctl -w vm.nr_hugepages=" + std::to_string(pages_now + missing);
}

}  // namespace

std::vector<std::string> eal_arguments(const EalOptions& options, std::uint64_t free_mib) {
  std::vector<std::string> arguments{"magnetar", lcores(options)};
  const bool huge = wants_hugepages(options, free_mib);
  if (huge) {
    arguments.insert(arguments.end(), {"--in-memory"});
  } else {
    // --in-memory excludes --no-huge; --no-shconf is the part of it that leaves no files behind.
    arguments.insert(arguments.end(), {"--no-huge", "--no-shconf"});
  }
  // A packet buffer does not cross from one page to the next, and of ordinary ones each holds one
  // buffer of two or three KiB. What is not used of it costs nothing.
  const std::uint64_t memory_mib = options.memory_mib * (huge ? 1 : 2);
  arguments.insert(arguments.end(), {"-m", std::to_string(memory_mib)});
  // Virtual addresses keep a pool in one piece, which AF_XDP needs. With a PCI device the EAL asks
  // its driver: without an IOMMU only physical addresses work, and those need hugepages.
  if (!huge || options.pci.empty()) arguments.emplace_back("--iova-mode=va");
  arguments.insert(arguments.end(), {"--no-telemetry", "--log-level=warning"});
  if (options.single_file_segments) arguments.emplace_back("--single-file-segments");
  if (options.pci.empty()) arguments.emplace_back("--no-pci");
  for (const std::string& address : options.pci) arguments.insert(arguments.end(), {"-a", address});
  for (const std::string& vdev : options.vdevs) arguments.push_back("--vdev=" + vdev);
  return arguments;
}

std::uint64_t free_hugepage_mib() {
  std::uint64_t kib = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/kernel/mm/hugepages", error)) {
    constexpr std::string_view kPrefix = "hugepages-";  // hugepages-2048kB
    const std::string name = entry.path().filename();
    if (!name.starts_with(kPrefix)) continue;
    const std::uint64_t page_kib = std::strtoull(name.c_str() + kPrefix.size(), nullptr, 10);
    const std::uint64_t free = read_number(entry.path() / "free_hugepages");
    const std::uint64_t reserved = read_number(entry.path() / "resv_hugepages");
    kib += page_kib * (free - std::min(free, reserved));
  }
  return kib / kKib;
}

Result<Eal, DeviceError> Eal::start(const EalOptions& options) {
  const std::uint64_t free_mib = free_hugepage_mib();
  if (options.memory == EalMemory::kHugepages && free_mib < options.memory_mib)
    return fail(DeviceError{too_few_hugepages(options.memory_mib, free_mib)});
  if (const auto core = unusable_core(options))
    return fail(DeviceError{"core " + std::to_string(*core) +
                            " is not one this process may run on: see nproc and taskset -p $$"});

  redirect_eal_log();
  // The EAL keeps pointers into its arguments.
  static std::vector<std::string> arguments;
  arguments = eal_arguments(options, free_mib);
  static std::vector<char*> argv;
  argv.clear();
  for (std::string& argument : arguments) argv.push_back(argument.data());
  if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0) {
    const int error = rte_errno;
    std::string what = "DPDK does not start: " + eal_reason(std::strerror(error));
    if (error == EPERM || error == EACCES) what += ": run as root";
    return fail(DeviceError{std::move(what)});
  }
  return Eal(wants_hugepages(options, free_mib));
}

Eal::Eal(Eal&& other) noexcept : owns_(other.owns_), hugepages_(other.hugepages_) {
  other.owns_ = false;
}

Eal::~Eal() {
  if (owns_) rte_eal_cleanup();
}

}  // namespace magnetar
