// SPDX-License-Identifier: Apache-2.0
// Memory for what is read at random: in huge pages where the kernel has them (transparent ones, so
// nothing has to be set up), since with 10,000 sessions nearly every packet would miss the TLB.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <new>
#include <span>
#include <type_traits>
#include <vector>

namespace magnetar {

inline constexpr std::size_t kHugePage = 2U << 20U;  // of a transparent one, in bytes

// Zeroed memory, backed only where it is touched.
class HugeMemory {
 public:
  explicit HugeMemory(std::size_t bytes);
  ~HugeMemory();
  HugeMemory(const HugeMemory&) = delete;
  HugeMemory& operator=(const HugeMemory&) = delete;
  HugeMemory(HugeMemory&& other) noexcept;
  [[nodiscard]] std::byte* data() const { return data_; }
  // Backs all of it by huge pages now (Linux 6.1 or newer). False: not all of it is.
  [[nodiscard]] bool collapse();

 private:
  std::byte* data_;
  std::size_t mapped_;
};

// An array that is never resized. Zeroed memory must be a fine `T`: nothing is constructed, so that
// what is not used takes no memory.
template <typename T>
class HugeArray {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  explicit HugeArray(std::size_t size) : memory_(size * sizeof(T)), size_(size) {}
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] T& operator[](std::size_t i) { return begin()[i]; }
  [[nodiscard]] const T& operator[](std::size_t i) const { return begin()[i]; }
  [[nodiscard]] T* begin() const { return reinterpret_cast<T*>(memory_.data()); }  // NOLINT
  [[nodiscard]] T* end() const { return begin() + size_; }

 private:
  HugeMemory memory_;
  std::size_t size_;
};

// Many objects of one size, side by side. Any thread; nothing is given back to the kernel.
class HugeSlab {
 public:
  // `size`: of an object, a multiple of its alignment, which is at most a cache line.
  explicit HugeSlab(std::size_t size) : size_(size) {}
  [[nodiscard]] void* take();
  void give(void* object);

 private:
  std::mutex mutex_;
  std::size_t size_;
  std::vector<HugeMemory> chunks_;
  std::vector<void*> free_;
};

// The sanitizers see what happens to an object only if it comes from them.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSlabs = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSlabs = false;
#else
inline constexpr bool kSlabs = true;
#endif
#else
inline constexpr bool kSlabs = true;
#endif

// Base of a type whose objects come from a slab of their own.
template <typename T>
struct InSlab {
  static void* operator new(std::size_t size) {
    return kSlabs ? slab().take() : ::operator new(size, kLine);
  }
  static void operator delete(void* object) {
    kSlabs ? slab().give(object) : ::operator delete(object, kLine);
  }
  // Over-aligned types ask this way.
  static void* operator new(std::size_t size, std::align_val_t) { return operator new(size); }
  static void operator delete(void* object, std::align_val_t) { operator delete(object); }

 private:
  static constexpr std::align_val_t kLine{64};
  // Never destroyed: objects may outlive what is destroyed at exit.
  static HugeSlab& slab() {
    static_assert(alignof(T) <= 64);
    static HugeSlab& instance = *new HugeSlab((sizeof(T) + 63) / 64 * 64);
    return instance;
  }
};

}  // namespace magnetar
