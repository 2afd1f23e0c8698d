// SPDX-License-Identifier: Apache-2.0
#include "drivers/net/xdp_steer.h"

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

// The object's only constant is the port.
bool set_port(bpf_object* object, std::uint16_t udp_port) {
  bpf_map* map = read_only_data(object);
  if (map == nullptr) return false;
  const std::uint16_t port = htons(udp_port);
  return bpf_map__set_initial_value(map, &port, sizeof(port)) == 0;
}

using Frame = std::array<std::byte, 64>;

Frame arp_frame() {
  Frame frame{};
  store_be<std::uint16_t>(std::span(frame).subspan<12, 2>(), ETH_P_ARP);
  return frame;
}

Frame nebula_frame(std::uint16_t udp_port) {
  Frame frame{};
  store_be<std::uint16_t>(std::span(frame).subspan<12, 2>(), ETH_P_IP);
  frame[14] = std::byte{0x45};
  frame[23] = std::byte{IPPROTO_UDP};
  store_be<std::uint16_t>(std::span(frame).subspan<36, 2>(), udp_port);
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
                                                              std::uint16_t udp_port) {
  // libbpf would write to standard error; what matters is in our own errors.
  libbpf_set_print(nullptr);
  std::unique_ptr<XdpSteer> steer(new XdpSteer(interface, udp_port));
  LIBBPF_OPTS(bpf_object_open_opts, options);
  options.object_name = "magnetar";
  steer->object_ = bpf_object__open_mem(kProgram, sizeof(kProgram), &options);
  if (steer->object_ == nullptr) return fail(os_error("cannot read the XDP program", errno));
  bpf_map* sockets = bpf_object__find_map_by_name(steer->object_, "sockets");
  if (sockets == nullptr || bpf_map__set_max_entries(sockets, interface.receive_queues) != 0 ||
      !set_port(steer->object_, udp_port))
    return fail(DeviceError{"the XDP program is not the one this build expects"});
  if (const int result = bpf_object__load(steer->object_); result != 0)
    return fail(os_error("the kernel does not take the XDP program", -result));
  const bpf_program* program = bpf_object__find_program_by_name(steer->object_, "magnetar_steer");
  if (program == nullptr) return fail(DeviceError{"the XDP program has no entry point"});
  steer->program_ = bpf_program__fd(program);
  steer->sockets_ = bpf_map__fd(sockets);
  return steer;
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
  if (run(program_, nebula_frame(udp_port_)) == XDP_REDIRECT &&
      run(program_, arp_frame()) == XDP_PASS)
    return {};
  return fail(DeviceError{"the XDP program does not steer UDP port " + std::to_string(udp_port_) +
                          " as it should on this kernel"});
}

Result<void, DeviceError> XdpSteer::attach() {
  using std::chrono::milliseconds;
  const bpf_program* program = bpf_object__find_program_by_name(object_, "magnetar_steer");
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
