# SPDX-License-Identifier: Apache-2.0
"""One scrape, and the sums that have to hold in it."""

import re

from .process import wait_for

_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Metrics:
    """Samples of one moment. A label that is not asked for is summed over."""

    def __init__(self, samples):
        self._samples = samples  # (name, {label: value}, number)

    @classmethod
    def parse(cls, text):
        samples = []
        for line in text.splitlines():
            match = _SAMPLE.match(line)
            if match:
                samples.append((match[1], dict(_LABEL.findall(match[2] or "")), float(match[3])))
        return cls(samples)

    def total(self, name, /, **labels):
        return sum(number for sample, have, number in self._samples
                   if sample == name and labels.items() <= have.items())

    def by(self, name, label):
        """{value of the label: number} of one metric."""
        return {have[label]: number for sample, have, number in self._samples
                if sample == name and label in have}

    def names(self):
        return {name for name, _, _ in self._samples}

    def balance(self):
        """What came in and where it went, in packets; the two sums are equal on an idle gateway."""
        came = {
            "rx": self.total("magnetar_packets_total", direction="rx"),
            "injected": self.total("magnetar_injected_packets_total"),
        }
        went = {
            "tx": self.total("magnetar_packets_total", direction="tx"),
            "dropped": self.total("magnetar_drops_total"),
            "punted": self.total("magnetar_punted_packets_total"),
        }
        return came, went

    def drops(self):
        """Every drop by reason, of both planes."""
        return {**self.by("magnetar_drops_total", "reason"),
                **{f"control:{reason}": number for reason, number in
                   self.by("magnetar_control_drops_total", "reason").items()}}


def changed(before, after):
    """What moved between two results of drops()."""
    return {reason: number - before.get(reason, 0) for reason, number in after.items()
            if number != before.get(reason, 0)}


def assert_balanced(gateway, timeout=10):
    """All that was received was sent, dropped for a reason, or punted."""
    last = None

    def settled():
        nonlocal last
        last = gateway.metrics().balance()
        came, went = last
        return sum(came.values()) == sum(went.values())

    try:
        wait_for(settled, "the counters to add up", timeout, interval=0.1)
    except TimeoutError:
        raise AssertionError(f"counters do not add up: in {last[0]}, out {last[1]}, "
                             f"drops {gateway.metrics().drops()}") from None
    assert last[0]["rx"] > 0, "nothing was received, so nothing was checked"
