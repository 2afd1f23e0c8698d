# SPDX-License-Identifier: Apache-2.0
"""Cases 1 and 2 of docs/handshake.md with real peers, delivery controlled packet by packet.

Names carry the number of the upstream scenario.
"""

from dataclasses import dataclass

import pytest

from lab.middlebox import Kind, stage_1, stage_2
from lab.process import wait_for
from lab.trio import QUEUED
from lab.wire import HANDSHAKE, MESSAGE, RECV_ERROR, TEST

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
        world.settle("higher", out, back)
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
        world.settle(host, out, back)
    world.wait_tunnels(host, count)
    # What waited at the gateway follows its stage 2: ahead of it, it would draw a recv_error.
    sent = [one.header for one in world.box.seen(Kind(source="gateway", destination=host))]
    for index in {head.index for head in sent if (head.type, head.counter) == (HANDSHAKE, 2)}:
        assert next(head for head in sent if head.index == index).type == HANDSHAKE


def judged(world, gateway_is, before, times):
    """Waits until the gateway has dealt with the host's stage 1 as its address demands."""
    if gateway_is == "lower":
        return world.box.wait(stage_2("gateway"), times)
    return wait_for(lambda: world.refusals(before).get("control:race_won", 0) >= times,
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
        world.settle(host, out, back)


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
        world.settle("higher", out, back)
    assert len(world.tunnels("higher")) == 1
