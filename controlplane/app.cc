// SPDX-License-Identifier: Apache-2.0
#include "controlplane/app.h"

#include <algorithm>
#include <csignal>

#include <rte_mbuf.h>
#include <sodium.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "controlplane/ops/log.h"
#include "controlplane/ops/logfmt.h"
#include "controlplane/ops/systemd_notify.h"
#include "dataplane/base/check.h"
#include "dataplane/wire/inner_packet.h"
#include "drivers/crypto/ipsec_mb.h"

namespace magnetar {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kPuntsARound = 64;            // then timers and sockets get their turn
constexpr Duration kGraceTick = milliseconds(100);  // for freeing, and for moved peers
// Paths are looked up anew soon after a change in the kernel, but under a storm of changes not for
// more than a tenth of the time.
constexpr Duration kRefreshEvery = milliseconds(1);
constexpr int kRefreshShare = 10;
constexpr Duration kScrapePatience = std::chrono::seconds(2);
constexpr Duration kFarewell = milliseconds(200);  // for the last frames to leave the rings
constexpr std::size_t kLargestFrame = 9300;

class SodiumRandom final : public RandomSource {
 public:
  void fill(MutableBytes to) override { randombytes_buf(to.data(), to.size()); }
};

ControlSettings settings_of(const config::Config& config, DataPlane& plane) {
  ControlSettings settings;
  settings.cipher = config.tunnels.cipher;
  settings.max_tunnels = config.tunnels.max;
  settings.try_interval = config.handshake.try_interval;
  settings.retries = config.handshake.retries;
  settings.queued_packets = config.handshake.queued_packets;
  settings.max_handshakes_per_second = config.handshake.max_per_second;
  settings.disconnect_invalid = config.disconnect_invalid;
  settings.static_remotes = config.tunnels.static_remotes;
  if (config.outside.probe_path_mtu) settings.probe_path_mtu = config.outside.mtu;
  for (const Prefix& address : plane.netlink().addresses())
    settings.own_addrs.push_back({address.addr, config.outside.listen_port});
  return settings;
}

}  // namespace

Result<std::unique_ptr<App>, DeviceError> App::open(const std::filesystem::path& config_path,
                                                    const config::Config& config) {
  auto plane = DataPlane::open(config);
  if (!plane) return fail(std::move(plane).error());
  std::unique_ptr<App> app(new App(config_path, config, std::move(*plane)));
  if (auto sockets = app->open_sockets(); !sockets) return fail(std::move(sockets).error());
  app->watch_everything();
  return app;
}

App::App(std::filesystem::path config_path, const config::Config& config,
         std::unique_ptr<DataPlane> plane)
    : config_path_(std::move(config_path)),
      config_(config),
      started_(read_clock().steady),
      plane_(std::move(plane)),
      aead_(make_ipsec_mb(config.tunnels.cipher)),
      random_(std::make_unique<SodiumRandom>()),
      underlay_(plane_->netlink(), config.outside.gateways, plane_->outside().mac(),
                config.outside.listen_port, plane_->outside().by_sockets()),
      publisher_({plane_->sessions(), plane_->routes(), plane_->rings(), *aead_, underlay_,
                  [this](const UnderlayAddr& to, ByteView bytes) {
                    return plane_->reservation().send(to, bytes);
                  },
                  plane_->pool(), plane_->workers(), config.outside.mtu}),
      traffic_(plane_->sessions()),
      control_(config.identity, settings_of(config, *plane_), *random_, &traffic_),
      worker_cycles_(plane_->workers()),
      busy_(plane_->workers()),
      last_reload_at_(read_clock().wall) {}

App::~App() {
  if (signal_fd_ >= 0) close(signal_fd_);
}

Result<void, DeviceError> App::open_sockets() {
  auto control = ops::ControlSocket::listen(
      config_.control_socket,
      [this](const std::string& command, const std::vector<std::string>& arguments) {
        return on_command(command, arguments);
      });
  if (!control) return fail(DeviceError{std::move(control).error()});
  control_socket_ = std::move(*control);
  // The scrape runs on a thread of the server; the values are this thread's.
  auto metrics = ops::MetricsServer::start(config_.metrics_listen, [this] {
    std::optional<ops::Snapshot> values;
    if (!loop_.call([&] { values = snapshot(); }, kScrapePatience))
      return std::optional<ops::Snapshot>();
    return values;
  });
  if (!metrics) return fail(DeviceError{std::move(metrics).error()});
  metrics_ = std::move(*metrics);
  return {};
}

void App::watch_everything() {
  loop_.watch(plane_->rings().wake_fd(), [this] { plane_->rings().woken(); });
  loop_.watch(control_socket_->fd(), [this] { control_socket_->process(); });
  loop_.watch(plane_->netlink().fd(), [this] { plane_->netlink().process(); });
  plane_->netlink().on_change([this] { network_changed_ = true; });
  if (Twin* twin = plane_->twin()) loop_.watch(twin->fd(), [this] { on_twin_frames(); });
  if (const auto fd = plane_->kernel_datagrams_fd())
    loop_.watch(*fd, [this] { plane_->take_kernel_datagrams(); });
  if (RoutedPort* routed = plane_->routed()) {
    for (const RoutedPort::Source& source : routed->sources())
      loop_.watch(source.fd, [routed, source] { (routed->*source.process)(); });
    routed->netlink().on_change([this] { network_changed_ = true; });
  }
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  signal_fd_ = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  MAGNETAR_CHECK(signal_fd_ >= 0);
  loop_.watch(signal_fd_, [this] { on_signal(); });
}

void App::run() {
  plane_->start();
  next_second_ = read_clock().steady;
  announce();
  ops::notify_ready();
  while (!stopping_) {
    const bool more = take_punted();
    const Now now = read_clock();
    Actions actions;
    control_.on_time(now, actions);
    carry_out(actions);
    if (network_changed_ && now.steady >= next_refresh_) on_network_change();
    if (now.steady >= next_second_) on_second(now.steady);
    publisher_.reap();
    plane_->reap_facts();
    if (more || !plane_->rings().prepare_to_sleep()) {
      loop_.poll();
    } else {
      loop_.wait(next_deadline());
      plane_->rings().woken();
    }
  }
  shut_down();
}

// One line a port: what carries the packets, and what would be faster.
void App::announce() {
  ops::Snapshot now;
  fill_ports(now);
  for (const ops::PortView& port : now.ports) {
    std::string line = "event=\"port open\" side=" + port.side;
    line += " name=" + ops::logfmt_value(port.name) + " backend=" + port.backend;
    line += " queues=" + std::to_string(port.queues) + " mtu=" + std::to_string(port.mtu);
    if (!port.offloads.empty()) line += " offloads=" + ops::logfmt_value(port.offloads);
    if (!port.note.empty()) line += " note=" + ops::logfmt_value(port.note);
    // The last resort, of what "auto" tried.
    const bool slowest = port.backend == backend_name(OutsideBackend::kAfPacket) &&
                         !plane_->fallback_reason().empty();
    ops::log(slowest ? LogLevel::kWarning : LogLevel::kInfo, line);
  }
  ops::log(LogLevel::kInfo,
           "event=ready version=" MAGNETAR_VERSION " workers=" + std::to_string(plane_->workers()) +
               " memory=" + (plane_->hugepages() ? "hugepages" : "ordinary"));
}

Instant App::next_deadline() const {
  Instant until = read_clock().steady + kGraceTick;
  if (const auto control = control_.next_timeout()) until = std::min(until, *control);
  if (network_changed_) until = std::min(until, next_refresh_);
  return until;
}

// True: there may be more.
bool App::take_punted() {
  std::array<rte_mbuf*, kPuntsARound> mbufs;
  const unsigned count = plane_->rings().take_punted(mbufs);
  for (unsigned i = 0; i < count; ++i) on_punted(*mbufs[i]);
  rte_pktmbuf_free_bulk(mbufs.data(), count);
  return count == mbufs.size();
}

void App::on_punted(rte_mbuf& mbuf) {
  const PuntMeta& meta = punt_meta(mbuf);
  const ByteView bytes = view_of(mbuf);
  const Now now = read_clock();
  Actions actions;
  switch (meta.kind) {
    case PuntKind::kHandshake:
    case PuntKind::kStage2:
      control_.on_handshake(meta.source, meta.header, bytes, now, actions);
      break;
    case PuntKind::kRecvError:
      control_.on_recv_error(meta.source, meta.header, now, actions);
      break;
    case PuntKind::kUnknownIndex:
      control_.on_unknown_index(meta.source, meta.header, now, actions);
      break;
    case PuntKind::kSessionMessage:
      control_.on_session_message(meta.session, meta.header, bytes, now, actions);
      break;
    case PuntKind::kNoTunnel: {
      wire::InnerView inner;
      MAGNETAR_CHECK(wire::parse_inner(bytes, inner));  // the worker has parsed it before
      control_.on_packet_without_tunnel({inner.destination_addr()}, {to_vector(bytes), meta.worker},
                                        now, actions);
      break;
    }
    case PuntKind::kMoved:
      control_.on_moved(meta.session, meta.source, now, actions);
      publisher_.noticed(meta.session);
      break;
    case PuntKind::kForged:
      control_.on_forged(meta.session, meta.source, meta.header, now, actions);
      break;
    case PuntKind::kNoNeighbour:
      publisher_.carry_out(SendDatagram{meta.source, to_vector(bytes)});
      break;
    case PuntKind::kKernel:
      if (Twin* twin = plane_->twin()) static_cast<void>(twin->write(bytes));
      break;
    case PuntKind::kInsideFrame:
    case PuntKind::kInsideLocal:
    case PuntKind::kInsideUnresolved:
      plane_->routed()->take(meta.kind, bytes);
      break;
    case PuntKind::kCount:
      break;
  }
  carry_out(actions);
}

void App::carry_out(Actions& actions) {
  for (Action& action : actions) {
    std::visit(
        [this](auto& what) {
          using T = std::decay_t<decltype(what)>;
          if constexpr (std::is_same_v<T, LogEvent>) {
            ops::log(what.level, what.text);
          } else if constexpr (std::is_same_v<T, Refused> || std::is_same_v<T, HandshakeEnded>) {
            tally_.count(what);
          } else {
            if constexpr (std::is_same_v<T, CloseSession>) traffic_.forget(what.session);
            publisher_.carry_out(what);
          }
        },
        action);
  }
}

void App::on_network_change() {
  network_changed_ = false;
  const Instant begin = read_clock().steady;
  plane_->refresh_facts();
  publisher_.refresh_paths();
  const Instant end = read_clock().steady;
  next_refresh_ = end + std::max(kRefreshEvery, kRefreshShare * (end - begin));
}

void App::on_second(Instant now) {
  next_second_ = now + std::chrono::seconds(1);
  publisher_.rearm_notices();
  if (RoutedPort* routed = plane_->routed()) routed->on_second();
  rates_.sample(drop_totals(), now);
  for (std::size_t i = 0; i < busy_.size(); ++i) {
    const WorkerStats& stats = plane_->stats(i);
    const std::pair cycles{stats.busy_cycles.get(), stats.total_cycles.get()};
    const std::uint64_t total = cycles.second - worker_cycles_[i].second;
    // One that sleeps counts nothing.
    busy_[i] = total == 0 ? 0.0
                          : static_cast<double>(cycles.first - worker_cycles_[i].first) /
                                static_cast<double>(total);
    worker_cycles_[i] = cycles;
  }
}

void App::on_twin_frames() {
  std::array<std::byte, kLargestFrame> frame;
  while (const auto size = plane_->twin()->read(frame))
    publisher_.send_frame(ByteView(frame).first(*size));
}

void App::on_signal() {
  signalfd_siginfo info{};
  while (read(signal_fd_, &info, sizeof(info)) == sizeof(info)) {
    if (info.ssi_signo != SIGHUP) {
      stopping_ = true;
      continue;
    }
    ops::notify_reloading(read_clock().steady);
    static_cast<void>(reload());  // it has logged what became of it
    ops::notify_ready();
  }
}

void App::shut_down() {
  ops::notify_stopping();
  ops::log(LogLevel::kInfo, "event=stopping");
  Actions actions;
  control_.close_all(read_clock(), actions);
  carry_out(actions);
  const Instant until = read_clock().steady + kFarewell;
  while (plane_->rings().frames_waiting() > 0 && read_clock().steady < until) usleep(1000);
  metrics_.reset();
  plane_->stop();
}

}  // namespace magnetar
