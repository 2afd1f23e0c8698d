// SPDX-License-Identifier: Apache-2.0
// Result<T, E> and fail(): how control-plane functions report errors. The only include of the
// expected library; std::expected once the compiler has it. Test with `if (!x)`.
#pragma once

#include <type_traits>
#include <utility>

#include <tl/expected.hpp>

namespace magnetar {

template <typename T, typename E>
using Result = tl::expected<T, E>;

template <typename E>
[[nodiscard]] auto fail(E&& error) {
  return tl::unexpected<std::decay_t<E>>(std::forward<E>(error));
}

}  // namespace magnetar
