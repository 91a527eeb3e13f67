"""The network: messages between nodes that are delayed, held back by partitions, and lost with their connection."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from simulation.world.loop import WORLD, Node, later_on, now

# The usual time of a message on its way, in seconds, and the share of messages that take much longer.
FASTEST, USUAL = 0.0002, 0.002
SLOW_SHARE, SLOWEST = 0.02, 0.08


@dataclass(slots=True)
class Weather:
    """The present state of the network. `cuts` are pairs of groups ("token-1", "redis") without a way between them.

    `slowness` is the share of slow messages, and `reset` the share of messages whose connection is lost.
    """

    cuts: dict[frozenset[str], int] = field(default_factory=dict)
    slowness: float = SLOW_SHARE
    slowest: float = SLOWEST
    reset: float = 0.0


class Network:
    """The ways between nodes."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.draw = random.random
        self.weather = Weather()
        self.messages = 0

    def delay(self) -> float:
        """Return the seconds of one message on its way."""
        draw = self.draw
        seconds = FASTEST + USUAL * draw()
        return seconds + self.weather.slowest * draw() if draw() < self.weather.slowness else seconds

    def is_cut(self, one: str, other: str) -> bool:
        """Return whether no message passes between two nodes at present."""
        return bool(self.weather.cuts) and frozenset((one, other)) in self.weather.cuts

    def breaks(self) -> bool:
        """Return whether the connection of the next message is lost."""
        return self.weather.reset > 0 and self._random.random() < self.weather.reset

    def cut(self, one: str, other: str, *, until_healed: bool) -> None:
        """Begin or end a cut between two nodes; cuts may overlap."""
        pair, cuts = frozenset((one, other)), self.weather.cuts
        count = cuts.get(pair, 0) + (1 if until_healed else -1)
        if count > 0:
            cuts[pair] = count
        else:
            cuts.pop(pair, None)

    def send(self, source: Node, target: Node, deliver: Callable[..., Any], *args: Any) -> None:
        """Deliver a message to a node after a delay; during a cut it is held back, as by retransmissions of TCP."""
        self.messages += 1
        later_on(target, self.delay(), self._arrive, source, target, deliver, args)

    def _arrive(self, source: Node, target: Node, deliver: Callable[..., Any], args: tuple[Any, ...]) -> None:
        if self.weather.cuts and self.is_cut(source.name, target.name):
            later_on(target, 0.1 + self.delay(), self._arrive, source, target, deliver, args)
        else:
            deliver(*args)


class Connection:
    """A TCP connection between a client node and a server node: bytes arrive in order, until the connection is lost."""

    def __init__(self, network: Network, client: Node, server: Node) -> None:
        self._network = network
        self._ends = client, server
        self._arrivals = [0.0, 0.0]
        self._waiting: list[list[tuple[Callable[..., Any], tuple[Any, ...]]]] = [[], []]
        self.open = True
        self.on_loss: list[Callable[[], None]] = []

    def send(self, to_server: bool, deliver: Callable[..., Any], *args: Any) -> None:
        """Deliver a part of a stream, after all earlier ones."""
        if not self.open:
            return
        if self._network.breaks():
            # Not at once: the sender may be in the midst of a command.
            later_on(WORLD, 0.0, self.reset)
            return
        at = now()
        side = int(to_server)
        arrival = max(at + self._network.delay(), self._arrivals[side] + 1e-6)
        self._arrivals[side] = arrival
        self._network.messages += 1
        later_on(self._ends[side], arrival - at, self._arrive, side, deliver, args)

    def _arrive(self, side: int, deliver: Callable[..., Any], args: tuple[Any, ...]) -> None:
        if not self.open:
            return
        waiting = self._waiting[side]
        if waiting or self._network.is_cut(self._ends[0].name, self._ends[1].name):
            waiting.append((deliver, args))
            if len(waiting) == 1:
                later_on(self._ends[side], 0.1, self._retransmit, side)
            return
        deliver(*args)

    def _retransmit(self, side: int) -> None:
        if self._network.is_cut(self._ends[0].name, self._ends[1].name):
            later_on(self._ends[side], 0.1, self._retransmit, side)
            return
        waiting, self._waiting[side] = self._waiting[side], []
        for deliver, args in waiting:
            if self.open:
                deliver(*args)

    def reset(self) -> None:
        """Lose the connection, with all bytes that are on their way."""
        if self.open:
            self.open = False
            for callback in self.on_loss:
                callback()
