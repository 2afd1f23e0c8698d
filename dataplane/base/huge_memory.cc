// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/huge_memory.h"

#include <utility>

#include <sys/mman.h>

#include "dataplane/base/check.h"

namespace magnetar {
namespace {

std::size_t rounded(std::size_t bytes, std::size_t to) { return (bytes + to - 1) / to * to; }

}  // namespace

HugeMemory::HugeMemory(std::size_t bytes) {
  // Small tables stay in small pages: they fit the TLB, and a huge page would waste most of itself.
  const std::size_t page = bytes < kHugePage / 2 ? 4096 : kHugePage;
  mapped_ = rounded(bytes == 0 ? 1 : bytes, page);
  const std::size_t asked = mapped_ + (page == kHugePage ? kHugePage : 0);
  void* got = mmap(nullptr, asked, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MAGNETAR_CHECK(got != MAP_FAILED);
  data_ = static_cast<std::byte*>(got);
  if (page != kHugePage) return;
  // Cut to the alignment of a huge page.
  const auto address = reinterpret_cast<std::uintptr_t>(got);  // NOLINT
  const std::size_t before = rounded(address, kHugePage) - address;
  data_ += before;
  if (before > 0) munmap(got, before);
  if (before < kHugePage) munmap(data_ + mapped_, kHugePage - before);
  madvise(data_, mapped_, MADV_HUGEPAGE);  // refused where the kernel has none: small pages then
}

HugeMemory::~HugeMemory() {
  if (data_ != nullptr) munmap(data_, mapped_);
}

bool HugeMemory::collapse() {
  constexpr int kCollapse = 25;  // MADV_COLLAPSE of Linux 6.1, which Debian 12's glibc does not name
  if (mapped_ % kHugePage != 0) return false;
  for (std::size_t at = 0; at < mapped_; at += kHugePage)  // it looks at no page that is not there
    *const_cast<volatile std::byte*>(data_ + at) = std::byte{0};
  return madvise(data_, mapped_, kCollapse) == 0;
}

HugeMemory::HugeMemory(HugeMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), mapped_(other.mapped_) {}

void* HugeSlab::take() {
  const std::lock_guard guard(mutex_);
  if (free_.empty()) {
    std::byte* chunk = chunks_.emplace_back(kHugePage).data();
    const std::size_t count = kHugePage / size_;
    // The last one is taken first: addresses grow.
    for (std::size_t i = count; i-- > 0;) free_.push_back(chunk + i * size_);
  }
  void* object = free_.back();
  free_.pop_back();
  return object;
}

void HugeSlab::give(void* object) {
  const std::lock_guard guard(mutex_);
  free_.push_back(object);
}

}  // namespace magnetar
