"""Faults as data: where, of which kind, and how many exchanges and throttled calls each may cause."""

import random
from dataclasses import dataclass
from itertools import combinations

from chaos.relays import KINDS

# The processes with their replicas.
REPLICAS = {"account": 2, "token": 2, "iam": 1, "gateway": 3, "edge": 1}
PROCESSES = tuple(f"{name}-{number}" for name, count in REPLICAS.items() for number in range(count))
LINKS = (
    *(f"caller->{name}" for name in ("gateway", "edge", "token", "account")),
    *(f"edge->{name}" for name in ("gateway", "account", "token")),
    *(f"gateway->{name}" for name in ("token", "account", "iam", "spapi")),
    *("token->account", "token->lwa", "iam->account", "iam->sts", "account->postgres"),
    *(f"{name}->redis" for name in REPLICAS),
)
PROCESS_KINDS = {
    "kill": "SIGKILL, and a new start at the end of the fault",
    "freeze": "SIGSTOP for five seconds, then SIGCONT",
    "roll": "SIGTERM, and a new start as soon as the process has ended",
}
DATA_KINDS = {
    "redis flush": "FLUSHALL",
    "redis empty": "Redis is killed, and started again without data",
    "redis freeze": "SIGSTOP of Redis, then SIGCONT",
    "postgres restart": "PostgreSQL is killed, and started again with its data",
    "postgres disconnect": "PostgreSQL ends every connection",
    "spapi 429": "SP-API throttles half of all calls",
    "spapi 503": "SP-API responds 503 to half of all calls",
    "spapi garbage": "SP-API cuts or resets a third of all responses, after it executed the calls",
    "lwa 429": "LWA throttles half of all exchanges",
    "lwa 503": "LWA responds with a page of status 503 to half of all exchanges",
    "lwa garbage": "LWA responds with broken JSON, wrong types or another charset to half of all exchanges",
    "lwa storm": "LWA does not respond while 200 callers without a token arrive at each token service at once, and wait 30 s",
    "sts throttle": "STS throttles half of all requests",
    "sts garbage": "STS responds with a page to half of all requests",
}
# Faults of the two kinds of Redis that have several servers.
FAILOVERS = {
    "redis kill primary": "the primary is killed, and started again at the end",
    "redis freeze primary": "SIGSTOP of the primary, then SIGCONT",
    "redis flush": "FLUSHALL on every primary",
    "redis roll": "each server is ended and started again, one after the other",
}
# The link of all processes to all servers and sentinels, where each names the others to its clients.
SHARED_REDIS, SHARED_KINDS = "all->redis", ("reset", "blackhole", "half-open", "mute")
TOPOLOGIES = ("direct", "sentinel", "cluster")
PAIRS, PAIR_SEED = 45, 1
# A fault that loses LWA's responses explains any number of exchanges, and one that loses the shared buckets any number of 429s.
MANY = 10_000
# Without Redis each replica of the token service makes an exchange of its own.
_LINK_EXCHANGES = {"token->lwa": MANY, "token->redis": REPLICAS["token"], SHARED_REDIS: REPLICAS["token"]}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: a link, a process or a server, and a kind."""

    place: str
    kind: str

    @property
    def name(self) -> str:
        """The name, as in "gateway->token reset"."""
        return f"{self.place} {self.kind}"

    @property
    def group(self) -> str:
        """The kind under which recovery times are compared."""
        if self.is_link:
            return f"link {self.kind}"
        return f"process {self.kind}" if self.place in PROCESSES else self.name

    @property
    def is_link(self) -> bool:
        """Whether the fault is one of the network."""
        return "->" in self.place

    @property
    def extra_exchanges(self) -> int:
        """The exchanges that the fault may cause for one grant, in addition to the one for its life."""
        if self.is_link:
            return _LINK_EXCHANGES.get(self.place, 0)
        if self.place.startswith("token-"):
            return 1
        if self.name == "lwa storm":
            return MANY
        return REPLICAS["token"] if self.place == "redis" else 0

    @property
    def delays_exchanges(self) -> bool:
        """Whether an exchange may reach LWA long after it was sent, so that its grant has been replaced in the meantime."""
        return self.place == "token->lwa" or self.name == "lwa storm"

    @property
    def throttles(self) -> int:
        """The calls that Amazon may throttle because of the fault."""
        if self.place in ("redis", "spapi") or self.place.endswith("->redis"):
            return MANY
        # A gateway that loses a response of Redis, or starts again, may have sent a call that it does not know of.
        return 3


@dataclass(frozen=True, slots=True)
class Scenario:
    """One or two faults at the same time, against one kind of Redis."""

    faults: tuple[Fault, ...]
    topology: str = "direct"

    @property
    def name(self) -> str:
        """The name by which the command line chooses it."""
        words = " + ".join(fault.name for fault in self.faults)
        return words if self.topology == "direct" else f"{self.topology}: {words}"


def singles() -> list[Scenario]:
    """Return every single fault with a Redis of one server."""
    found = [Fault(link, kind) for link in LINKS for kind in KINDS]
    found += [Fault(process, kind) for process in PROCESSES for kind in PROCESS_KINDS]
    found += [Fault(*name.split(" ", 1)) for name in DATA_KINDS]
    return [Scenario((fault,)) for fault in found]


def failovers() -> list[Scenario]:
    """Return the faults of Redis under Sentinel and of a Cluster, and those of a process beside them."""
    found = [Fault(*name.split(" ", 1)) for name in FAILOVERS]
    found += [Fault(SHARED_REDIS, kind) for kind in SHARED_KINDS]
    found += [Fault(f"{name}-0", kind) for name in ("token", "gateway") for kind in ("kill", "freeze")]
    return [Scenario((fault,), topology) for topology in TOPOLOGIES[1:] for fault in found]


def pairs(count: int = PAIRS, seed: int = PAIR_SEED) -> list[Scenario]:
    """Return pairs of faults at different places, chosen by a seed; every kind of fault is in some of them."""
    chance = random.Random(seed)
    of_group: dict[str, list[Fault]] = {}
    for (fault,) in (scenario.faults for scenario in singles()):
        of_group.setdefault(fault.group, []).append(fault)
    both = [pair for pair in combinations(sorted(of_group), 2) if _differ(*(of_group[one] for one in pair))]
    chance.shuffle(both)
    # First those that bring a kind which no earlier pair has.
    missing = set(of_group)
    first = [pair for pair in both if missing & set(pair) and not missing.difference_update(pair)]
    found: list[Scenario] = []
    for one, other in [*first, *(pair for pair in both if pair not in first)]:
        found.append(Scenario(chance.choice(_differ(of_group[one], of_group[other]))))
        if len(found) == count:
            break
    return found


def scenarios() -> list[Scenario]:
    """Return all scenarios in their order."""
    return [*singles(), *pairs(), *failovers()]


def _differ(some: list[Fault], others: list[Fault]) -> list[tuple[Fault, Fault]]:
    """Return all pairs of faults of different servers."""
    return [(one, other) for one in some for other in others if _server_of(one) != _server_of(other)]


def _server_of(fault: Fault) -> str:
    """Return what a fault concerns: two faults of the same server or link say no more than one."""
    return fault.place.split("->")[-1].rstrip("-0123456789")
