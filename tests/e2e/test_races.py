# SPDX-License-Identifier: Apache-2.0
"""The four cases of docs/handshake.md with real peers, delivery controlled packet by packet.

Names carry the number of the upstream scenario. Every test sends numbered datagrams before there
is a tunnel: each has to arrive, once. That fails when a queue is lost on the way from one attempt
to another, or when the two ends come to hold different keys.
"""

import contextlib
from dataclasses import dataclass

import pytest

from lab import nebula
from lab.gateway import Gateway
from lab.lab import PEERS, Lab
from lab.metrics import assert_balanced, changed
from lab.middlebox import Kind, Middlebox, stage_1, stage_2
from lab.nebula import DEBIAN
from lab.process import wait_for
from lab.traffic import Stream, ping
from lab.wire import CLOSE_TUNNEL, HANDSHAKE, MESSAGE, RECV_ERROR, TEST

VERSIONS = [DEBIAN, "1.9.3", "1.11.0"]
QUEUED = 20  # each way, before there is a tunnel; real Nebula keeps 100
ADDRESSES = {"gateway": "10.42.0.5", "lower": "10.42.0.3", "higher": "10.42.0.7"}


@dataclass
class World:
    """A gateway and two hosts of one version, one below and one above it, on a middlebox."""
    lab: Lab
    box: Middlebox
    gateway: Gateway
    version: str
    identities: dict

    @property
    def old(self):
        """Whether the hosts decide a race, as before 1.7, or keep both tunnels."""
        return self.version == DEBIAN

    def endpoint(self, role):
        return self.lab.network.endpoint(role)

    def host(self, role, **static):
        """A fresh host. `static`: role=[role, ...]; it knows the gateway in any case."""
        known = {"gateway": ["gateway"], **static}
        host = self.lab.host(role, ADDRESSES[role], version=self.version,
                             identity=self.identities[role],
                             static={ADDRESSES[peer]: [self.endpoint(place) for place in places]
                                     for peer, places in known.items()})
        return host.start()

    def knows(self, **static):
        """What the gateway believes of where hosts are."""
        self.gateway.settings["tunnels"]["static"] = {
            ADDRESSES[peer]: [self.endpoint(place) for place in places]
            for peer, places in static.items()}
        self.gateway.write_config()
        self.gateway.ask("reload")

    def tunnels(self, role):
        return [row for row in self.gateway.tunnels()
                if ADDRESSES[role] in row["overlay_addresses"]]

    def wait_tunnels(self, role, count):
        wait_for(lambda: len(self.tunnels(role)) == count, f"{count} tunnels with {role}")

    @contextlib.contextmanager
    def streams(self, role):
        """To the host, and to the gateway; both with packets that wait once this is entered."""
        here, there = self.gateway.space, self.lab.space(role)
        with Stream(here, there, ADDRESSES[role]) as out, \
                Stream(there, here, ADDRESSES["gateway"]) as back:
            yield out, back

    def clear(self):
        """No tunnel, no attempt, no host, no rule."""
        for role in ("lower", "higher"):
            self.gateway.command("close", ADDRESSES[role])
            if role in self.lab.members:
                self.lab.members.pop(role).stop()
        wait_for(lambda: not self.gateway.ask("tunnels"), "the gateway to be without tunnels")
        self.box.reset()


@pytest.fixture(scope="module", params=VERSIONS)
def shared(request, fetched, programs):
    if nebula.binary(request.param, PEERS) is None:
        pytest.skip(f"nebula {request.param} could not be fetched: {fetched}")
    with Lab() as lab:
        lab.network.add("gateway", "lower", "higher")
        space = lab.network.connect_to_middlebox()
        box = Middlebox(space, {lab.network.address(role): role for role in lab.network.nodes})
        gateway = lab.gateway("gateway", ADDRESSES["gateway"]).start()
        identities = {role: lab.authority.sign(role, ADDRESSES[role])
                      for role in ("lower", "higher")}
        yield World(lab, box, gateway, request.param, identities)
        gateway.stop()
        box.close()


@pytest.fixture
def cleared(shared):
    yield shared
    shared.clear()


@pytest.fixture
def world(cleared, tell):
    tell(lambda: f"--- packets\n{cleared.box.story()}\n{cleared.lab.story()}")
    cleared.knows(lower=["lower"], higher=["higher"])
    return cleared


def settle(world, role, *streams):
    """All that was sent has come, the tunnel goes on working, nothing is pending, sums hold."""
    for stream in streams:
        stream.assert_each_once()
    for stream in streams:
        stream.send(QUEUED)
        stream.assert_each_once()
    assert ping(world.gateway.space, ADDRESSES[role], count=5).lost == 0
    assert world.gateway.tunnels("pending") == []
    assert_balanced(world.gateway)


# Case 1: a good handshake.

@pytest.mark.parametrize("fault", ["none", "stage-1-twice", "stage-2-lost", "stage-2-twice"])
@pytest.mark.parametrize("initiator", ["gateway", "higher"])
def test_s01_s06_good_handshake(world, initiator, fault):
    """Fails when a second copy of stage 1 makes a second tunnel, or gets another answer."""
    world.host("higher")
    responder = "higher" if initiator == "gateway" else "gateway"
    faulty = {"none": lambda: [],
              "stage-1-twice": lambda: world.box.repeat(stage_1(initiator)),
              "stage-2-lost": lambda: world.box.drop(stage_2(responder)),
              "stage-2-twice": lambda: world.box.repeat(stage_2(responder))}[fault]()
    with world.streams("higher") as (out, back):
        first = out if initiator == "gateway" else back
        first.send(QUEUED)
        first.assert_each_once()
        settle(world, "higher", out, back)
    [tunnel] = world.tunnels("higher")
    assert tunnel["initiator"] is (initiator == "gateway")
    assert len(faulty) == (fault != "none")
    assert len({one.payload for one in world.box.seen(stage_1(initiator))}) == 1
    answers = [one.payload for one in world.box.seen(stage_2(responder))]
    assert len(set(answers)) == 1
    assert len(answers) >= (2 if fault in ("stage-1-twice", "stage-2-lost") else 1)
    assert world.box.seen(Kind(RECV_ERROR)) == []


# Case 2: both start.

@dataclass(frozen=True)
class Race:
    """Both stage 1 are held until both are there. `tunnels`: how many the gateway ends with, for
    (host before 1.7, host from 1.7 on), below and above the host."""
    name: str
    lower: tuple
    higher: tuple


RACES = [
    Race("ours-first", lower=(1, 2), higher=(1, 2)),
    Race("theirs-first", lower=(1, 2), higher=(1, 2)),
    Race("each-repeated", lower=(1, 2), higher=(1, 2)),
    # Once we stand down ours is not sent again: there is no second tunnel.
    Race("ours-lost", lower=(1, 1), higher=(1, 2)),
    Race("theirs-lost", lower=(1, 2), higher=(1, 2)),
]


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
@pytest.mark.parametrize("gateway_is", ["lower", "higher"])
def test_s16_s17_stage_1_race(world, gateway_is, race):
    """Fails when both sides wait for each other, when the loser's queue is lost, or when a newer
    host that had to wait is not answered once our tunnel stands."""
    host = "higher" if gateway_is == "lower" else "lower"
    count = (race.lower if gateway_is == "lower" else race.higher)[not world.old]
    world.host(host)
    # Answers, and what follows them, in order: data that overtakes its stage 2 is another matter.
    answers = [world.box.hold(Kind(source=role)) for role in ("gateway", host)]
    ours, theirs = world.box.hold(stage_1("gateway")), world.box.hold(stage_1(host))
    before = world.gateway.metrics().drops()
    with world.streams(host) as (out, back):
        out.send(QUEUED)
        back.send(QUEUED)
        ours.wait()
        theirs.wait()
        # A higher host before 1.7 ignores ours.
        answered = (lambda: None) if world.old and host == "higher" else answers[1].wait
        deliver(world, race.name, ours, theirs, answered,
                lambda times=1: judged(world, gateway_is, before, times))
        for answer in answers:
            answer.release()
        wait_for(lambda: world.tunnels(host), "a tunnel")
        ours.discard()  # what is sent again from now on, arrives
        theirs.discard()
        out.assert_each_once()
        back.assert_each_once()
        world.wait_tunnels(host, count)
        settle(world, host, out, back)
    world.wait_tunnels(host, count)
    # What waited at the gateway follows its stage 2: ahead of it, it would draw a recv_error.
    sent = [one.header for one in world.box.seen(Kind(source="gateway", destination=host))]
    for index in {head.index for head in sent if (head.type, head.counter) == (HANDSHAKE, 2)}:
        assert next(head for head in sent if head.index == index).type == HANDSHAKE


def judged(world, gateway_is, before, times):
    """Waits until the gateway has dealt with the host's stage 1 as its address demands."""
    if gateway_is == "lower":
        return world.box.wait(stage_2("gateway"), times)
    return wait_for(lambda: refusals(world, before).get("control:race_won", 0) >= times,
                    "the gateway to win the race")


def deliver(world, how, ours, theirs, wait_answered, wait_judged):
    """Lets each stage 1 through as the case wants it; copies of these are lost until both ends have
    dealt with them."""
    if how == "ours-first":
        ours.release_first()
        theirs.release_first()
        wait_judged()
    elif how == "theirs-first":
        theirs.release_first()
        wait_judged()
        ours.release_first()
    elif how == "each-repeated":
        mine, its = ours.release_first(), theirs.release_first()
        for packet in (mine, its, its, mine):
            world.box.pass_on(packet)
        wait_judged(3)
    elif how == "ours-lost":
        theirs.release_first()
        wait_judged()
        ours.discard()
    else:
        ours.release_first()
        wait_answered()
        theirs.discard()


@pytest.mark.parametrize("gateway_is", ["lower", "higher"])
def test_s17_the_losers_stage_1_comes_late(world, gateway_is):
    """The higher side's handshake is over before the other stage 1 arrives. Fails when what a late
    packet opened takes the traffic, or takes the tunnel that works down."""
    host = "higher" if gateway_is == "lower" else "lower"
    winner, loser = ("gateway", host) if gateway_is == "higher" else (host, "gateway")
    world.host(host)
    first, late = world.box.hold(stage_1(winner)), world.box.hold(stage_1(loser))
    with world.streams(host) as (out, back):
        out.send(QUEUED)
        back.send(QUEUED)
        first.wait()
        late.wait()
        first.release()
        world.wait_tunnels(host, 1)
        for stream in (out, back):
            if world.old or stream is (out if gateway_is == "higher" else back):
                stream.assert_each_once()
        late.release()
        # A host before 1.7 refuses what is older than its tunnel, and tests the tunnel instead.
        refuses = world.old and winner == host
        world.box.wait(Kind(TEST, source=host) if refuses else stage_2(winner))
        settle(world, host, out, back)


def test_data_that_overtakes_its_stage_2(world):
    """The host's data comes before the gateway has seen its stage 2, and waits. Fails when some of
    it is lost or comes out of order, or when a recv_error ends the tunnel for it."""
    count = 100
    world.host("higher")
    answer = world.box.hold(stage_2("higher"))
    with world.streams("higher") as (out, back):
        out.send(QUEUED)
        answer.wait()
        back.send(count)
        world.box.wait(Kind(MESSAGE, source="higher"), count)
        answer.release()
        out.assert_each_once()
        back.assert_each_once()
        assert back.received == list(range(count))
    assert world.box.seen(Kind(RECV_ERROR)) == []
    with world.streams("higher") as (out, back):
        settle(world, "higher", out, back)
    assert len(world.tunnels("higher")) == 1


# Case 3: a host answers that was not meant. The gateway asks.

def asks_at_two_places(world):
    """The gateway looks for "lower", first where "higher" is; both answers wait in the middle."""
    world.knows(lower=["higher", "lower"])
    wrong, right = world.host("higher"), world.host("lower")
    return wrong, right, world.box.hold(stage_2("higher")), world.box.hold(stage_2("lower"))


@pytest.mark.parametrize("speaks", ["late", "early"])
def test_s24_wrong_responder_loses(world, speaks):
    """Fails when the wrong host's answer or data touches the tunnel, or when it is not told; early:
    also when what it says before anyone has answered is taken for the right host's."""
    wrong, _, from_wrong, from_right = asks_at_two_places(world)
    before = world.gateway.metrics().drops()
    with world.streams("lower") as (out, back):
        out.send(QUEUED)
        from_wrong.wait()
        from_right.wait()
        if speaks == "early":
            assert ping(wrong.space, ADDRESSES["gateway"], count=5, patience=0).received == 0
            world.box.wait(Kind(MESSAGE, source="higher"), 5)
        from_right.release()
        out.assert_each_once()
        [tunnel] = world.tunnels("lower")
        from_wrong.release()
        wait_for(lambda: refusals(world, before).get("control:stage2_unknown"),
                 "the late answer to be refused")
        # It believes in a tunnel: its data draws recv_error until it gives that up and starts anew.
        wait_for(lambda: ping(wrong.space, ADDRESSES["gateway"], count=1, patience=0.1).lost == 0,
                 "the wrong host to get a tunnel of its own")
        assert world.box.seen(Kind(RECV_ERROR, source="gateway", destination="higher"))
        assert world.box.seen(stage_1("higher"))
        assert refusals(world, before)["control:forged_by_stranger"] >= 1
        settle(world, "lower", out, back)
    [after] = world.tunnels("lower")
    assert (after["local_index"], after["remote"]) == (tunnel["local_index"], tunnel["remote"])
    assert world.box.seen(Kind(RECV_ERROR, destination="lower")) == []
    assert len(world.tunnels("higher")) == 1


def test_s22_s23_wrong_responder_wins(world):
    """Fails when what waits goes to the wrong host or is lost, when the wrong host is asked again
    or not told, or when the right host's answer to the dead attempt is taken."""
    wrong, _, from_wrong, from_right = asks_at_two_places(world)
    before = world.gateway.metrics().drops()
    with world.streams("lower") as (out, back):
        out.send(QUEUED)
        from_wrong.wait()
        from_right.wait()
        from_wrong.release()
        world.box.wait(Kind(CLOSE_TUNNEL, source="gateway", destination="higher"))
        assert len(from_right.wait(2)) == 2, "an answer to each attempt"
        late = from_right.release_first()
        wait_for(lambda: refusals(world, before).get("control:stage2_unknown"),
                 "the late answer to be refused")
        assert world.tunnels("lower") == []
        from_right.release()
        out.assert_each_once()
        settle(world, "lower", out, back)
        [tunnel] = world.tunnels("lower")
        assert tunnel["remote"] == world.endpoint("lower")
        assert late.header.index != int(str(tunnel["local_index"]), 0)
        assert refusals(world, before)["control:wrong_responder"] == 1
        asked = {one.payload for one in world.box.seen(stage_1("gateway", "higher"))}
        assert len(asked) == 1, "the wrong host was asked again"
        assert world.box.seen(Kind(MESSAGE, source="gateway", destination="higher")) == []
    # It was told, so its first packet starts a handshake and is not lost.
    assert ping(wrong.space, ADDRESSES["gateway"], count=5).lost == 0


def refusals(world, before):
    return changed(before, world.gateway.metrics().drops())


# The same with a real host that asks: the gateway is the right one, or the wrong one.

def test_s22_s23_wrong_responder_wins_against_the_gateway(world):
    """"lower" looks for the gateway, first where "higher" is, who answers first. Fails when the
    gateway prefers the tunnel of the attempt that the host gave up."""
    world.host("higher")
    world.host("lower", gateway=["higher", "gateway"])
    from_wrong, from_right = world.box.hold(stage_2("higher")), world.box.hold(stage_2("gateway"))
    with world.streams("lower") as (out, back):
        back.send(QUEUED)
        from_wrong.wait()
        from_right.wait()
        from_wrong.release()
        from_right.wait(2)
        from_right.release()
        back.assert_each_once()
        settle(world, "lower", back, out)


def test_s24_the_gateway_is_the_wrong_responder_and_loses(world):
    """"lower" looks for "higher", also where the gateway is. Fails when the gateway's dead tunnel
    stops it from being reached, or harms the host's tunnel."""
    world.host("higher")
    world.host("lower", higher=["gateway", "higher"])
    from_wrong, from_right = world.box.hold(stage_2("gateway")), world.box.hold(stage_2("higher"))
    with Stream(world.lab.space("lower"), world.lab.space("higher"), ADDRESSES["higher"]) as there:
        there.send(QUEUED)
        from_wrong.wait()
        from_right.wait()
        from_right.release()
        there.assert_each_once()
        from_wrong.release()
        with world.streams("lower") as (out, back):
            # 1.6.1 mislays what it is given while the answer comes.
            answer = world.box.hold(stage_2("gateway")) if world.old else None
            back.send(QUEUED)
            if answer:
                answer.wait()
                answer.release()
            settle(world, "lower", back, out)
        there.send(QUEUED)
        there.assert_each_once()


def test_s22_the_gateway_is_the_wrong_responder_and_wins(world):
    """Fails when the gateway, that believes in a tunnel, is not put right by what the host says."""
    world.host("higher")
    world.host("lower", higher=["gateway", "higher"])
    from_wrong, from_right = world.box.hold(stage_2("gateway")), world.box.hold(stage_2("higher"))
    with Stream(world.lab.space("lower"), world.lab.space("higher"), ADDRESSES["higher"]) as there:
        there.send(QUEUED)
        from_right.wait()
        from_wrong.wait()  # with all queued: 1.6.1 mislays what comes while it changes over
        from_wrong.release()
        from_right.wait(2)
        from_right.release()
        there.assert_each_once()
        # 1.9.3 asks the wrong host again and again; the gateway's last answer then only loses, and
        # 1.9.3 is silent about the data of such a host: it has to speak first.
        if world.version != "1.9.3":
            wait_for(lambda: ping(world.gateway.space, ADDRESSES["lower"], count=1,
                                  patience=0.1).lost == 0,
                     "the gateway to reach the host that took it for another")
        with world.streams("lower") as (out, back):
            settle(world, "lower", back, out)
        there.send(QUEUED)
        there.assert_each_once()
