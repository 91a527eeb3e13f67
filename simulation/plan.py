"""The plan of a run: its operations and faults, which a seed decides before the run begins, so that each can be left out."""

from dataclasses import dataclass, field, replace
from itertools import accumulate
from random import Random

ACCOUNTS = 2
# The index of an account whose authorization sellers end; the invariants of convergence leave it out.
SPARE = ACCOUNTS
REPLICAS = {"account": 2, "token": 2, "gateway": 2}
# Operations begin within these seconds of the start; faults end soon after, and the rest of the run is for recovery.
BUSY_SECONDS = 7.0
# A fault ends by this time if it can, so that a run is short.
FAULTS_END_SECONDS = 9.0
# A plan has so many operations, and those that its faults need. They are calls that clients make, beside those that only check.
OPERATIONS = 100
FEWEST_FAULTS, MOST_FAULTS = 5, 6
BURST_CALLS, STORM_CALLS = 7, 14
# The calls of kinds that make several. An authorization reads and changes its account, and gets a token of each replica; of what
# clients seldom do, this is fewer than the mean.
CALLS = {"burst": BURST_CALLS, "storm": STORM_CALLS, "authorize": 4, "deactivate": 2, "invalidate": 2, "seldom": 3}
# The kinds that take long: a plan has at most one of each for each account.
LONG = ("deactivate", "burst")
# The largest error of a node's wall clock, in seconds.
SKEW_SECONDS = 2.0
# The life of access tokens: several in one run.
LIVES = (12.0, 20.0, 60.0)

WEIGHTS = {
    "token": 51,
    "read": 15,
    "write": 11,
    "burst": 2,
    "storm": 1,
    "authorize": 4,
    "deactivate": 2,
    "verify": 2,
    "invalidate": 2,
    "rotate": 2,
    "new_grant": 3,
    "other": 5,
    "seldom": 5,
}
# In a storm many calls fail together, which tests budgets of retries and circuit breakers.
STORMY_WEIGHTS = WEIGHTS | {"storm": 6}
# Faults with their longest seconds; 0: they happen at one moment.
FAULTS = {
    "crash": 3.0,
    "stop": 3.0,
    "freeze": 6.0,
    "freeze_owner": 7.0,
    "freeze_exchange": 7.0,
    "crash_owner": 3.0,
    "isolated": 8.0,
    "cut": 4.0,
    "cut_redis": 3.0,
    "freeze_redis": 3.0,
    "empty_redis": 0.0,
    "reset_redis": 0.0,
    "garbled_redis": 0.0,
    "readonly_redis": 2.5,
    "resets": 3.0,
    "slow": 4.0,
    "duplicates": 4.0,
    "lwa_error": 3.0,
    "lwa_hang": 5.0,
    "lwa_slow": 4.0,
    "lwa_lost": 3.0,
    "lwa_odd": 3.0,
    "late_renewals": 4.0,
    "late_acquires": 5.0,
    "spapi_error": 4.0,
    "spapi_fail": 4.0,
    "spapi_lost": 3.0,
    "spapi_hang": 4.0,
    "spapi_refuse": 3.0,
    "spapi_odd": 3.0,
    "unannounced": 4.0,
    "slow_commits": 6.0,
    "slow_replies": 5.0,
}


# Faults of which only a few meet the moment that matters: half of the plans have several of one of them.
RARE = (
    "freeze_owner",
    "freeze_exchange",
    "late_renewals",
    "late_acquires",
    "slow_replies",
    "unannounced",
    "slow_commits",
    "isolated",
    "slow",
)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a client. `cancel` is the time after its begin at which the client leaves, in seconds; 0: it stays."""

    number: int
    kind: str
    at: float
    account: int
    replica: int
    deadline: float
    cancel: float
    draw: float

    @property
    def calls(self) -> int:
        """The calls that clients make for this one."""
        return CALLS.get(self.kind, 1)

    def numbered(self, number: int) -> "Operation":
        """Return the operation with a number."""
        place, time = (self.account, self.replica), (self.deadline, self.cancel)
        return Operation(number, self.kind, self.at, *place, *time, self.draw)

    def __str__(self) -> str:
        left = f", cancelled after {self.cancel:.4f} s" if self.cancel else ""
        return f"#{self.number} {self.kind} account {self.account} within {self.deadline:.1f} s{left}"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `target` and `other` are names of nodes, where the kind has them."""

    number: int
    kind: str
    at: float
    seconds: float
    target: str
    other: str = ""

    def concerns(self, name: str) -> bool:
        """Return whether the fault hits a node, a service, or all nodes."""
        return not self.target or self.target.startswith(name) or self.other.startswith(name)

    def __str__(self) -> str:
        between = f" and {self.other}" if self.other else ""
        return f"F{self.number} {self.kind} {self.target}{between} for {self.seconds:.3f} s".replace("  ", " ")


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole plan. `skews` are the errors of the nodes' wall clocks in seconds, by name."""

    seed: int
    life: float
    operations: tuple[Operation, ...]
    faults: tuple[Fault, ...]
    skews: dict[str, float] = field(default_factory=dict)

    def only(self, operations: set[int], faults: set[int]) -> "Plan":
        """Return the plan with only some of its operations and faults, by number."""
        return replace(
            self,
            operations=tuple(one for one in self.operations if one.number in operations),
            faults=tuple(one for one in self.faults if one.number in faults),
        )


def nodes() -> list[str]:
    """Return the names of all nodes that a fault can end."""
    return [f"{service}-{number}" for service, count in REPLICAS.items() for number in range(1, count + 1)]


def make_plan(seed: int) -> Plan:
    """Return the plan of a seed. Each seed uses a part of the kinds of faults, so that rare combinations occur too."""
    random = Random(f"{seed} plan")
    kinds = [kind for kind in FAULTS if random.random() < 0.4] or ["crash"]
    # Some invariants hold only while no fault explains a delay, so that in some plans the first half of the run has none.
    first = BUSY_SECONDS / 2 if random.random() < 0.4 else 1.0
    if random.random() < 0.6:
        kinds += [random.choice(RARE)] * 4
    weights = WEIGHTS
    if random.random() < 0.2:
        weights, kinds = STORMY_WEIGHTS, [*kinds, "spapi_error", "spapi_fail", "spapi_refuse"]
    faults = [_fault(number, random, kinds, first) for number in range(random.randint(FEWEST_FAULTS, MOST_FAULTS))]
    if first > 1.0 and random.random() < 0.5:
        faults[0] = Fault(0, "slow_commits", 1.0, FAULTS["slow_commits"], "")
    calm = random.random() < 0.5
    weighed = list(weights), list(accumulate(weights.values()))
    operations, once, calls = list[Operation](), set[tuple[str, int]](), 0
    while calls < OPERATIONS:
        operation = _operation(random, weighed, calm=calm)
        if (operation.kind, operation.account) in once or calls + operation.calls > OPERATIONS:
            continue
        if operation.kind in LONG:
            # Those of one account follow one another.
            once.add((operation.kind, operation.account))
        operations.append(operation)
        calls += operation.calls
    for fault in faults:
        if fault.kind == "isolated":
            # A change of which the node cannot learn, early enough that it must forget its copies while it is isolated.
            change = _operation(random, (["authorize"], [1]), calm=True)
            operations.append(replace(change, at=fault.at + 0.1, deadline=8.0, cancel=0.0))
    operations.sort(key=lambda one: one.at)
    numbered = tuple(one.numbered(number) for number, one in enumerate(operations))
    skews = {
        name: random.choice((-SKEW_SECONDS, SKEW_SECONDS, random.uniform(-SKEW_SECONDS, SKEW_SECONDS)))
        for name in [*nodes(), "redis"]
    }
    return Plan(seed, random.choice(LIVES), numbered, tuple(faults), skews)


def _fault(number: int, random: Random, kinds: list[str], first: float) -> Fault:
    kind = random.choice(kinds)
    seconds = FAULTS[kind] * (0.1 + 0.9 * random.random())
    if kind in ("freeze_owner", "freeze_exchange", "isolated"):
        # Longer than a lease, and longer than copies are trusted.
        seconds = FAULTS[kind] * (0.8 + 0.2 * random.random())
    one, other = random.sample(nodes(), 2)
    if kind == "freeze" and random.random() < 0.6:
        one = f"token-{random.randint(1, REPLICAS['token'])}"
    if kind == "isolated":
        one = random.choice([name for name in nodes() if not name.startswith("account")])
    if kind == "cut_redis" and random.random() < 0.3:
        one = f"gateway-{random.randint(1, REPLICAS['gateway'])}"
    target = one if kind in ("crash", "stop", "freeze", "cut", "cut_redis", "isolated", "reset_redis") else ""
    at = first + random.random() * (BUSY_SECONDS - 1.0 - first)
    at = max(first, min(at, FAULTS_END_SECONDS - seconds))
    if kind == "slow_commits" or (kind == "isolated" and first == 1.0):
        # Slow commits explain no delay after an acknowledgement; what an isolated node must forget is requested after a long time.
        at = 1.0 + 2.0 * random.random()
    return Fault(number, kind, at, seconds, target, other if kind == "cut" else "")


def _operation(random: Random, weighed: tuple[list[str], list[int]], *, calm: bool) -> Operation:
    """Return an operation. `weighed` are the kinds and the sums of their weights."""
    kind = random.choices(weighed[0], cum_weights=weighed[1])[0]
    # Callers come in groups, so that several wait for the same token.
    at = random.random() * BUSY_SECONDS
    if kind in LONG:
        # What takes long begins early, so that a run is short; a burst tests quotas before the first fault.
        at /= 2 if kind == "deactivate" else 5
    elif random.random() < 0.5:
        at = round(at / 2) * 2 + random.random() * 0.02
    deadline = random.choice((1.0, 1.0, 3.0, 3.0, 8.0, 8.0))
    leaves = random.random() < (0.03 if calm else 0.15)
    cancel = 10 ** random.uniform(-3.5, 0.3) if leaves else 0.0
    account, replica = random.choice((0, 0, 0, 1)), random.randrange(6)
    return Operation(0, kind, at, account, replica, deadline, cancel, random.random())
