// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/xdp_steer.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <string_view>
#include <thread>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>

#include "dataplane/base/bytes.h"
#include "drivers/net/os_error.h"

namespace magnetar {
namespace {

constexpr unsigned char kProgram[] = {
#include "drivers/net/steer.bpf.inc"
};

bpf_map* read_only_data(bpf_object* object) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (std::string_view(bpf_map__name(map)).ends_with(".rodata")) return map;
  }
  return nullptr;
}

// The object's only constant, as the program has it.
struct Ours {
  std::uint16_t port;  // network byte order
  MacAddr mac;
};
static_assert(sizeof(Ours) == 8);

bool set_constants(bpf_object* object, const InterfaceFacts& interface, const SteerRule& rule) {
  bpf_map* map = read_only_data(object);
  if (map == nullptr) return false;
  const Ours ours{htons(rule.udp_port), interface.mac};
  return bpf_map__set_initial_value(map, &ours, sizeof(ours)) == 0;
}

// A key of the overlay maps, and what is found there.
template <std::size_t kBytes>
bool set_network(int map, const Prefix& network, std::uint8_t take) {
  struct {
    std::uint32_t length;
    std::array<std::byte, kBytes> address;
  } key{network.length, {}};
  std::ranges::copy(network.addr.network_bytes(), key.address.begin());
  return bpf_map_update_elem(map, &key, &take, 0) == 0;
}

using Frame = std::array<std::byte, 64>;

Frame arp_frame() {
  Frame frame{};
  store_be<std::uint16_t>(std::span(frame).subspan<12, 2>(), ETH_P_ARP);
  return frame;
}

// One that the program has to take.
Frame frame_of(const SteerRule& rule, const MacAddr& mac) {
  Frame frame{};
  std::ranges::copy(mac, frame.begin());
  store_be<std::uint16_t>(std::span(frame).subspan<12, 2>(), ETH_P_IP);
  frame[14] = std::byte{0x45};
  frame[23] = std::byte{IPPROTO_UDP};
  store_be<std::uint16_t>(std::span(frame).subspan<36, 2>(), rule.udp_port);
  if (rule.networks.empty()) return frame;
  const Prefix network = rule.networks.front().masked();
  const ByteView to = network.addr.network_bytes();
  const bool v4 = network.addr.is_v4();
  store_be<std::uint16_t>(std::span(frame).subspan<12, 2>(), v4 ? ETH_P_IP : ETH_P_IPV6);
  std::ranges::copy(to, frame.begin() + (v4 ? 30 : 38));
  return frame;
}

// What the program answers, or none when the kernel would not run it.
std::optional<std::uint32_t> run(int program, const Frame& frame) {
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = frame.data();
  options.data_size_in = static_cast<__u32>(frame.size());
  options.repeat = 1;
  if (bpf_prog_test_run_opts(program, &options) != 0) return std::nullopt;
  return options.retval;
}

}  // namespace

Result<std::unique_ptr<XdpSteer>, DeviceError> XdpSteer::load(const InterfaceFacts& interface,
                                                              const SteerRule& rule) {
  // libbpf would write to standard error; what matters is in our own errors.
  libbpf_set_print(nullptr);
  std::unique_ptr<XdpSteer> steer(new XdpSteer(interface, rule));
  LIBBPF_OPTS(bpf_object_open_opts, options);
  options.object_name = "magnetar";
  steer->object_ = bpf_object__open_mem(kProgram, sizeof(kProgram), &options);
  if (steer->object_ == nullptr) return fail(os_error("cannot read the XDP program", errno));
  bpf_map* sockets = bpf_object__find_map_by_name(steer->object_, "sockets");
  if (sockets == nullptr || bpf_map__set_max_entries(sockets, interface.receive_queues) != 0 ||
      !set_constants(steer->object_, interface, rule))
    return fail(DeviceError{"the XDP program is not the one this build expects"});
  bpf_program* each = nullptr;
  bpf_object__for_each_program(each, steer->object_) bpf_program__set_autoload(
      each, std::string_view(bpf_program__name(each)) == steer->program_name());
  if (const int result = bpf_object__load(steer->object_); result != 0)
    return fail(os_error("the kernel does not take the XDP program", -result));
  const bpf_program* program =
      bpf_object__find_program_by_name(steer->object_, steer->program_name());
  if (program == nullptr) return fail(DeviceError{"the XDP program has no entry point"});
  steer->program_ = bpf_program__fd(program);
  steer->sockets_ = bpf_map__fd(sockets);
  if (!steer->set_networks())
    return fail(os_error("cannot tell the XDP program what is ours", errno));
  return steer;
}

const char* XdpSteer::program_name() const {
  return rule_.networks.empty() ? "magnetar_steer" : "magnetar_steer_inside";
}

bool XdpSteer::set_networks() const {
  const auto set = [this](const Prefix& network, std::uint8_t take) {
    const bool v4 = network.addr.is_v4();
    const int map = bpf_object__find_map_fd_by_name(object_, v4 ? "overlay_v4" : "overlay_v6");
    return v4 ? set_network<4>(map, network, take) : set_network<16>(map, network, take);
  };
  return std::ranges::all_of(rule_.networks,
                             [&](const Prefix& network) { return set(network.masked(), 1); }) &&
         std::ranges::all_of(rule_.own, [&](const IpAddr& own) {
           return set({own, static_cast<std::uint8_t>(own.bits())}, 0);
         });
}

XdpSteer::~XdpSteer() {
  if (link_ != nullptr) bpf_link__destroy(link_);
  if (object_ != nullptr) bpf_object__close(object_);
}

Result<void, DeviceError> XdpSteer::add_socket(std::uint32_t queue, int socket) {
  if (bpf_map_update_elem(sockets_, &queue, &socket, 0) == 0) return {};
  return fail(os_error(
      interface_.name + ": cannot steer queue " + std::to_string(queue) + " to AF_XDP", errno));
}

Result<void, DeviceError> XdpSteer::prove() const {
  // Test frames count as received on queue 0, whose socket is there: a redirect means it is found.
  if (run(program_, frame_of(rule_, interface_.mac)) == XDP_REDIRECT &&
      run(program_, arp_frame()) == XDP_PASS)
    return {};
  return fail(DeviceError{"the XDP program does not steer as it should on this kernel"});
}

Result<void, DeviceError> XdpSteer::attach() {
  using std::chrono::milliseconds;
  const bpf_program* program = bpf_object__find_program_by_name(object_, program_name());
  // A gateway that was killed a moment ago may still be on its way out.
  for (milliseconds waited{0}; link_ == nullptr; waited += milliseconds{20}) {
    link_ = bpf_program__attach_xdp(program, static_cast<int>(interface_.index));
    if (link_ != nullptr) break;
    const int error = errno;
    if (error != EBUSY && error != EEXIST)
      return fail(os_error(interface_.name + " does not take an XDP program", error));
    if (waited >= milliseconds{1000})
      return fail(DeviceError{interface_.name + " has another XDP program: bpftool net show dev " +
                              interface_.name + ", ip link set " + interface_.name + " xdp off"});
    std::this_thread::sleep_for(milliseconds{20});
  }
  return {};
}

bool XdpSteer::native() const {
  LIBBPF_OPTS(bpf_xdp_query_opts, options);
  return bpf_xdp_query(static_cast<int>(interface_.index), 0, &options) == 0 &&
         options.attach_mode != XDP_ATTACHED_SKB;
}

}  // namespace magnetar
