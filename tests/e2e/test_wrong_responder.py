# SPDX-License-Identifier: Apache-2.0
"""Case 3 of docs/handshake.md with real peers: a host answers that was not meant.

Names carry the number of the upstream scenario.
"""

import contextlib

import pytest

from lab.middlebox import Kind, stage_1, stage_2
from lab.process import wait_for
from lab.traffic import Stream, ping
from lab.trio import ADDRESSES, QUEUED
from lab.wire import CLOSE_TUNNEL, MESSAGE, RECV_ERROR


# The gateway asks.

@contextlib.contextmanager
def gateway_asks(world):
    """The gateway looks for "lower", first where "higher" is; both answers wait in the middle."""
    world.knows(lower=["higher", "lower"])
    wrong, _ = world.host("higher"), world.host("lower")
    answers = world.box.hold(stage_2("higher")), world.box.hold(stage_2("lower"))
    with world.streams("lower") as streams:
        streams[0].send(QUEUED)
        for answer in answers:
            answer.wait()
        yield wrong, *answers, *streams


@pytest.mark.parametrize("speaks", ["late", "early"])
def test_s24_wrong_responder_loses(world, speaks):
    """Fails when the wrong host's answer or data touches the tunnel, or when it is not told; early:
    also when what it says before anyone has answered is taken for the right host's."""
    before = world.gateway.metrics().drops()
    with gateway_asks(world) as (wrong, from_wrong, from_right, out, back):
        if speaks == "early":
            assert ping(wrong.space, ADDRESSES["gateway"], count=5, patience=0).received == 0
            world.box.wait(Kind(MESSAGE, source="higher"), 5)
        from_right.release()
        out.assert_each_once()
        [tunnel] = world.tunnels("lower")
        from_wrong.release()
        wait_for(lambda: world.refusals(before).get("control:stage2_unknown"),
                 "the late answer to be refused")
        # It believes in a tunnel: its data draws recv_error until it gives that up and starts anew.
        wait_for(lambda: ping(wrong.space, ADDRESSES["gateway"], count=1, patience=0.1).lost == 0,
                 "the wrong host to get a tunnel of its own")
        assert world.box.seen(Kind(RECV_ERROR, source="gateway", destination="higher"))
        assert world.box.seen(stage_1("higher"))
        assert world.refusals(before)["control:forged_by_stranger"] >= 1
        world.settle("lower", out, back)
    [after] = world.tunnels("lower")
    assert (after["local_index"], after["remote"]) == (tunnel["local_index"], tunnel["remote"])
    assert world.box.seen(Kind(RECV_ERROR, destination="lower")) == []
    assert len(world.tunnels("higher")) == 1


def test_s22_s23_wrong_responder_wins(world):
    """Fails when what waits goes to the wrong host or is lost, when the wrong host is asked again
    or not told, or when the right host's answer to the dead attempt is taken."""
    before = world.gateway.metrics().drops()
    with gateway_asks(world) as (wrong, from_wrong, from_right, out, back):
        from_wrong.release()
        world.box.wait(Kind(CLOSE_TUNNEL, source="gateway", destination="higher"))
        assert len(from_right.wait(2)) == 2, "an answer to each attempt"
        late = from_right.release_first()
        wait_for(lambda: world.refusals(before).get("control:stage2_unknown"),
                 "the late answer to be refused")
        assert world.tunnels("lower") == []
        from_right.release()
        out.assert_each_once()
        world.settle("lower", out, back)
        [tunnel] = world.tunnels("lower")
        assert tunnel["remote"] == world.endpoint("lower")
        assert late.header.index != int(str(tunnel["local_index"]), 0)
        assert world.refusals(before)["control:wrong_responder"] == 1
        asked = {one.payload for one in world.box.seen(stage_1("gateway", "higher"))}
        assert len(asked) == 1, "the wrong host was asked again"
        assert world.box.seen(Kind(MESSAGE, source="gateway", destination="higher")) == []
    # It was told, so its first packet starts a handshake and is not lost.
    assert ping(wrong.space, ADDRESSES["gateway"], count=5).lost == 0


# A real host asks: the gateway is the right one, or the wrong one.

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
        world.settle("lower", back, out)


@contextlib.contextmanager
def host_asks_the_gateway(world):
    """"lower" looks for "higher", first where the gateway is; both answers wait in the middle."""
    world.host("higher")
    world.host("lower", higher=["gateway", "higher"])
    answers = world.box.hold(stage_2("gateway")), world.box.hold(stage_2("higher"))
    with Stream(world.lab.space("lower"), world.lab.space("higher"), ADDRESSES["higher"]) as there:
        there.send(QUEUED)
        for answer in answers:  # with all queued: 1.6.1 mislays what comes while it changes over
            answer.wait()
        yield there, *answers


def test_s24_the_gateway_is_the_wrong_responder_and_loses(world):
    """Fails when the gateway's dead tunnel
    stops it from being reached, or harms the host's tunnel."""
    with host_asks_the_gateway(world) as (there, from_wrong, from_right):
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
            world.settle("lower", back, out)
        there.send(QUEUED)
        there.assert_each_once()


def test_s22_the_gateway_is_the_wrong_responder_and_wins(world):
    """Fails when the gateway, that believes in a tunnel, is not put right by what the host says."""
    with host_asks_the_gateway(world) as (there, from_wrong, from_right):
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
            world.settle("lower", back, out)
        there.send(QUEUED)
        there.assert_each_once()
