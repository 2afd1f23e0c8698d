// SPDX-License-Identifier: Apache-2.0
// Run in the kernel for each frame that arrives on an interface. Outside: UDP to the Nebula port goes
// to our AF_XDP socket of that queue. Inside: what is to be routed into tunnels does. Everything else
// goes to the kernel as ever (ARP, neighbour discovery, ICMP, SSH, fragments, tagged frames).
// The BPF helpers use the types of linux/bpf.h without including it, so the order is fixed.
// clang-format off
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
// clang-format on

// Set before loading.
const volatile struct {
  __u16 nebula_port;  // network byte order
  __u8 mac[6];        // of the interface
} ours = {};

struct {
  __uint(type, BPF_MAP_TYPE_XSKMAP);
  __uint(max_entries, 1);  // as many as the interface has queues; set before loading
  __type(key, __u32);
  __type(value, __u32);
} sockets SEC(".maps");

static __always_inline const struct udphdr* udp_over_ipv4(const void* at, const void* end) {
  const struct iphdr* ip = at;
  if ((const void*)(ip + 1) > end || ip->ihl != 5 || ip->protocol != IPPROTO_UDP) return 0;
  if (ip->frag_off & bpf_htons(0x3fff)) return 0;  // the kernel puts fragments together, we do not
  return (const struct udphdr*)(ip + 1);
}

static __always_inline const struct udphdr* udp_over_ipv6(const void* at, const void* end) {
  const struct ipv6hdr* ip = at;
  if ((const void*)(ip + 1) > end || ip->nexthdr != IPPROTO_UDP) return 0;
  return (const struct udphdr*)(ip + 1);
}

SEC("xdp")
int magnetar_steer(struct xdp_md* context) {
  const void* data = (const void*)(long)context->data;
  const void* end = (const void*)(long)context->data_end;
  const struct ethhdr* ethernet = data;
  if ((const void*)(ethernet + 1) > end) return XDP_PASS;

  const struct udphdr* udp = 0;
  if (ethernet->h_proto == bpf_htons(ETH_P_IP)) udp = udp_over_ipv4(ethernet + 1, end);
  if (ethernet->h_proto == bpf_htons(ETH_P_IPV6)) udp = udp_over_ipv6(ethernet + 1, end);
  if (!udp || (const void*)(udp + 1) > end || udp->dest != ours.nebula_port) return XDP_PASS;
  return bpf_redirect_map(&sockets, context->rx_queue_index, XDP_PASS);
}

// Overlay networks: 1, and our own addresses there: 0.
struct v4_key {
  __u32 length;
  __u32 address;
};
struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(max_entries, 256);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct v4_key);
  __type(value, __u8);
} overlay_v4 SEC(".maps");

struct v6_key {
  __u32 length;
  struct in6_addr address;
};
struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(max_entries, 256);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct v6_key);
  __type(value, __u8);
} overlay_v6 SEC(".maps");

SEC("xdp")
int magnetar_steer_inside(struct xdp_md* context) {
  const void* data = (const void*)(long)context->data;
  const void* end = (const void*)(long)context->data_end;
  const struct ethhdr* ethernet = data;
  if ((const void*)(ethernet + 1) > end) return XDP_PASS;
  for (int i = 0; i < ETH_ALEN; ++i)
    if (ethernet->h_dest[i] != ours.mac[i]) return XDP_PASS;

  const __u8* take = 0;
  if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
    const struct iphdr* ip = (const void*)(ethernet + 1);
    if ((const void*)(ip + 1) > end) return XDP_PASS;
    const struct v4_key key = {32, ip->daddr};
    take = bpf_map_lookup_elem(&overlay_v4, &key);
  } else if (ethernet->h_proto == bpf_htons(ETH_P_IPV6)) {
    const struct ipv6hdr* ip = (const void*)(ethernet + 1);
    if ((const void*)(ip + 1) > end) return XDP_PASS;
    const struct v6_key key = {128, ip->daddr};
    take = bpf_map_lookup_elem(&overlay_v6, &key);
  }
  if (!take || *take == 0) return XDP_PASS;
  return bpf_redirect_map(&sockets, context->rx_queue_index, XDP_PASS);
}

char _license[] SEC("license") = "Apache-2.0";
