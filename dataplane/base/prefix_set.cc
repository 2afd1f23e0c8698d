// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/prefix_set.h"

#include <array>

namespace magnetar {
namespace {

// The first `length` bits set, as bytes of a 16-byte address.
std::array<std::byte, 16> mask_of(std::size_t length) {
  std::array<std::byte, 16> mask{};
  for (std::size_t bit = 0; bit < length; ++bit)
    mask[bit / 8] |= static_cast<std::byte>(0x80U >> (bit % 8));
  return mask;
}

}  // namespace

void PrefixSet::add(const Prefix& prefix) {
  const std::array<std::byte, 16> mask = mask_of(prefix.length);
  const IpAddr network = prefix.masked().addr;
  if (prefix.addr.is_v4()) {
    V4 v4{};
    std::memcpy(&v4.network, network.mapped().last<4>().data(), sizeof(v4.network));
    std::memcpy(&v4.mask, mask.data(), sizeof(v4.mask));
    const bool first = first_v4_.network == 1 && first_v4_.mask == 0;
    if (first) {
      first_v4_ = v4;
    } else {
      more_v4_.push_back(v4);
    }
    return;
  }
  V6 v6{};
  std::memcpy(v6.network, network.mapped().data(), sizeof(v6.network));
  std::memcpy(v6.mask, mask.data(), sizeof(v6.mask));
  const bool first = first_v6_.network[0] == 1 && first_v6_.mask[0] == 0;
  if (first) {
    first_v6_ = v6;
  } else {
    more_v6_.push_back(v6);
  }
}

}  // namespace magnetar
