"""The invariants of a scenario, checked from outside: what callers saw against what Amazon executed."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sellergate_common.redis_client import RESPONSE_SECONDS, SILENT_SECONDS

from chaos.faults import REPLICAS, Scenario
from chaos.history import History, Operation
from chaos.sellers import Account

# An acknowledged change is in force within these seconds, whatever fails.
TRUST_SECONDS = 5.0
# A response may be so late on its way back, in addition to what this machine was late itself.
SLACK_SECONDS = 2.0
# Outcomes after which a write may have been executed.
UNKNOWN = frozenset({"AMAZON_OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN", "CONNECTION_LOST"})
# A token service that Redis does not serve in time exchanges without a lease, or does not share what it got. A command passes three
# processes (service, relay, Redis), each of which may have waited for a processor as long as the one that waited most. Such a wait
# explains another exchange within so many seconds.
STALL_SECONDS, STALL_REACH_SECONDS = RESPONSE_SECONDS / 3, RESPONSE_SECONDS + SILENT_SECONDS
# What a fault may cause after its end: a call that had its share of the quota, and waited for a token, is sent late.
_LATER = "AMAZON_QUOTA_EXCEEDED"
# Outcomes that no fault explains: a bug, a response without a reason, or Amazon's refusal of a token or a signature.
BUGS = frozenset({"INTERNAL", "UNKNOWN", "UNTYPED", "UNIMPLEMENTED", "AMAZON_401", "AMAZON_403", "AMAZON_DENIED", ""})


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken invariant, and what shows it."""

    invariant: str
    words: str

    def __str__(self) -> str:
        """Return both."""
        return f"{self.invariant}: {self.words}"


@dataclass
class Known:
    """What a run has learned in earlier scenarios: tokens and their grants, and the grants that were exchanged."""

    grant_of: dict[str, str] = field(default_factory=dict)
    exchanged: set[str] = field(default_factory=set)


@dataclass
class Seen:
    """A scenario as it was seen from outside. Times are of the monotonic clock."""

    scenario: Scenario
    history: History
    accounts: list[Account]
    journal: Mapping[str, Any]
    throttled: int
    versions: Mapping[int, int]
    """The accounts' versions at the end."""
    fault_began: float


def check(seen: Seen, known: Known) -> list[Violation]:
    """Return the broken invariants, and remember what later scenarios need."""
    for exchange in seen.journal["exchanges"]:
        known.grant_of[exchange["token"]] = exchange["grant"]
    found = [
        *_operations(seen),
        *_exchanges(seen, known),
        *_tokens(seen, known),
        *_executions(seen),
        *_changes(seen),
        *_quota(seen),
        *(Violation("capacity", words) for words in seen.history.lost),
    ]
    known.exchanged |= {exchange["grant"] for exchange in seen.journal["exchanges"]}
    return found


def _operations(seen: Seen) -> Iterator[Violation]:
    """Each operation ends by its deadline, with a reason; before the fault each one succeeds."""
    for one in seen.history.operations:
        late = one.ended - one.began - one.seconds - SLACK_SECONDS
        if late > seen.history.lateness(one.began, one.ended):
            yield Violation(
                "deadline", f"{one.kind} ended {late + SLACK_SECONDS:.1f} s after its deadline: {one.outcome}"
            )
        if one.outcome in BUGS:
            yield Violation("error", f"{one.kind} ended with {one.outcome or 'no outcome'}: {one.message:.300}")
        elif one.is_ok or one.outcome == _LATER:
            continue  # the invariant `quota` counts the latter
        elif 0 < one.ended < seen.fault_began and not seen.history.was_late(one):
            yield Violation("quiet", f"{one.kind} failed before the fault: {one.outcome} {one.message:.200}")


def _exchanges(seen: Seen, known: Known) -> Iterator[Violation]:
    """One exchange for the life of a token, and as many more as the faults may cause; none of an outdated grant."""
    extra = sum(fault.extra_exchanges for fault in seen.scenario.faults)
    of_seller = {account.seller.seller_id: account for account in seen.accounts}
    times: dict[tuple[str, str], list[float]] = {}
    for one in seen.journal["exchanges"]:
        account = of_seller.get(one["seller"])
        if account is None:
            continue
        times.setdefault((one["seller"], one["grant"]), []).append(one["at"])
        number, required = account.number_of(one["grant"]), account.required(one["at"], TRUST_SECONDS)
        if number < required and not any(fault.delays_exchanges for fault in seen.scenario.faults):
            yield Violation("newest", f"grant {number} was exchanged 5 s after grant {required} was acknowledged")
    for (seller, grant), at in times.items():
        allowed = extra + (0 if grant in known.exchanged else 1)
        # The machine may have cut each replica from Redis.
        if len(at) > allowed and any(_stalled(seen.history, one) for one in at):
            allowed += REPLICAS["token"] - 1
        if len(at) > allowed:
            number = of_seller[seller].number_of(grant)
            yield Violation(
                "exchange", f"grant {number} of {seller} was exchanged {len(at)} times, at most {allowed} expected"
            )


def _stalled(history: History, at: float) -> bool:
    """Return whether this machine kept processes waiting around a moment for so long that commands of Redis timed out."""
    return history.most_in_a_second(at - STALL_REACH_SECONDS, at + STALL_REACH_SECONDS) >= STALL_SECONDS


def _tokens(seen: Seen, known: Known) -> Iterator[Violation]:
    """No caller gets a token of another seller, or of a grant that was replaced five seconds before."""
    for one in seen.history.operations:
        if one.token:
            account = seen.accounts[one.account]
            number = account.number_of(known.grant_of.get(one.token, ""))
            if number == 0:
                yield Violation("owner", f"a caller of account {one.account} got a token that is not its own")
            elif number < account.required(one.began, TRUST_SECONDS):
                yield Violation("revision", f"a caller got a token of grant {number}, which was replaced 5 s before")


def _executions(seen: Seen) -> Iterator[Violation]:
    """No write is executed twice, its outcome is true, and each call has a token of its seller's present grant."""
    made = {one.key: one for one in seen.history.operations if one.key}
    counts: Counter[str] = Counter()
    for execution in seen.journal["executions"]:
        one = made.get(execution["query"]) or made.get(execution["body"])
        if one is None:
            continue
        counts[one.key] += 1
        account = seen.accounts[one.account]
        if account.seller.seller_id != execution["seller"]:
            yield Violation("owner", f"a {one.kind} of account {one.account} was executed for {execution['seller']}")
        elif account.number_of(execution["grant"]) < account.required(one.began, TRUST_SECONDS):
            yield Violation("revision", f"a {one.kind} was executed with an older grant, which was replaced 5 s before")
    yield from _outcomes(made.values(), counts)


def _outcomes(operations: Iterable[Operation], counts: Counter[str]) -> Iterator[Violation]:
    for one in operations:
        times = counts[one.key]
        if one.writes and times > 1:
            yield Violation("once", f"a write was executed {times} times; its caller got {one.outcome}")
        if one.outcome == "OK" and not times:
            yield Violation("outcome", f"a {one.kind} succeeded and was not executed")
        if one.writes and times and one.outcome != "OK" and one.outcome not in UNKNOWN:
            yield Violation("outcome", f"a write was executed, and its caller got {one.outcome}: {one.message:.200}")


def _changes(seen: Seen) -> Iterator[Violation]:
    """Each acknowledged change of an account took effect once, however often it was sent."""
    for account in seen.accounts:
        made = seen.history.changes.get(account.number, 0)
        raised = seen.versions[account.number] - account.version
        if made >= 0 and raised != made:
            yield Violation(
                "once", f"account {account.number} changed {raised} times, and {made} changes were acknowledged"
            )


def _quota(seen: Seen) -> Iterator[Violation]:
    """Amazon throttles no call unless a fault explains it."""
    allowed = sum(fault.throttles for fault in seen.scenario.faults)
    if seen.throttled > allowed:
        yield Violation("quota", f"Amazon throttled {seen.throttled} calls, at most {allowed} expected")
