"""The invariants, checked during a run from outside of the services: at Amazon, Redis, the database and the clients."""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sellergate_account.model import Account
from sellergate_common.crypto.sealing import SealError
from sellergate_common.errors import Reason, SellergateError
from sellergate_common.flights.lease import LEASE_SECONDS
from sellergate_common.status import BEGUN
from sellergate_gateway.calls.retries import ACCOUNT_RETRIES, ACCOUNT_SHARE

from simulation.acknowledged import Acknowledged
from simulation.cluster import RING, World
from simulation.effects import (
    BEFORE_ACKNOWLEDGEMENT,
    COSTS,
    DELAY_TOKENS,
    LATEST_RESPONSE_SECONDS,
    MAY_LOSE_GRANTS,
    SLOW_LWA,
    STOP_RENEWALS,
    WITHOUT_REDIS,
)
from simulation.history import History
from simulation.plan import FAULTS, REPLICAS, Fault
from simulation.revisions import Revisions
from simulation.world.amazon import IssuedToken, SimulatedAmazon
from simulation.world.loop import Node, now
from tests.fakes.account import FakeUnitOfWork

# How late a change may take effect after it was acknowledged, in seconds.
TRUST_SECONDS = 5.0
# Without a fault an announcement takes effect within these seconds.
PROMPT_SECONDS = 0.6
# A token is renewed after this share of its life, and earlier by the difference of two clocks; times in Redis are milliseconds.
LIFE_SHARE, ROUNDING_SECONDS = 0.8, 0.002
# A cause explains exchanges for these seconds after its end: a lease that is not released, and the retries of a call.
AFTERMATH_SECONDS = LEASE_SECONDS + 3.0
_WRITING = frozenset({b"SET", b"DEL", b"EVAL", b"EVALSHA"})
_SCRIPTS = frozenset({b"EVAL", b"EVALSHA"})
_CHANGES = re.compile(rb"call\('(?!GET|PTTL)")
"""What a script has that does more than read an entry."""
# Reasons of errors after which a call may have been executed.
_UNKNOWN = frozenset(
    {Reason.AMAZON_OUTCOME_UNKNOWN, Reason.AMAZON_RESPONSE_TOO_LARGE, Reason.OUTCOME_UNKNOWN, Reason.DEADLINE_EXCEEDED}
    | {Reason.CANCELLED, Reason.INTERNAL}
)
# The calls that Amazon may throttle in a run although no fault delayed them, and the seconds for which a fault explains more.
MOST_THROTTLED, QUIET_SECONDS = 3, 10.0


@dataclass(slots=True)
class Call:
    """A call of SP-API. `executed` is what its client learned; None: it may have been executed."""

    seller: str
    began: float
    executed: bool | None = None
    begun: int = 1
    """How often its client made it."""


@dataclass(slots=True)
class _HeldLease:
    owner: bytes
    client: str
    since: float
    until: float


class Checker:
    """The invariants of one run."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.accounts: dict[str, Acknowledged] = {}
        self.faults: list[Fault] = []
        self.world: World | None = None
        self.logged: dict[str, int] = {}
        self.on_lease: list[Callable[[str, float], None]] = []
        """What waits for the next owner of a lease, by the name of its node and the time at which the lease ends."""
        self.revisions = Revisions()
        self.on_contest: list[Callable[[str, float], None]] = []
        """What waits for the next owner whose lease another replica wants too."""
        self._leases: dict[bytes, _HeldLease] = {}
        self._expired: dict[tuple[bytes, str], _HeldLease] = {}
        """By lease and node: leases that expired, and that another owner has acquired since."""
        self._entries: dict[bytes, tuple[int, float, bool]] = {}
        """By key the token's number, its end, and whether it was stored under a fencing number."""
        self.without_redis: list[float] = []
        self.leases_until = 0.0
        """The time by which leases expire that a fault kept from their release."""
        self.calls: dict[str, Call] = {}
        self._seen_exchanges = 0

    @property
    def now(self) -> float:
        """The seconds since the start of the run."""
        return now()

    def on_log(self, level: str, event: dict[str, Any]) -> None:
        """Count an event of the log. A bug, or a task that does not end, breaks an invariant."""
        name = str(event.get("event"))
        self.logged[name] = self.logged.get(name, 0) + 1
        self.history.note("log", f"{level} {name} {event.get('cause', event.get('reason', ''))}".rstrip())
        if name == "redis_unreachable":
            self.without_redis.append(self.now)
        if name == "lease_not_released" and self._keeps_from_redis():
            self.leases_until = self.now + LEASE_SECONDS
        if name in ("bug", "flight_overdue", "task_did_not_end"):
            words = str(event.get("exception") or event.get("task") or event.get("method") or "")
            self.history.violate("log", f"{name} {words[-1500:]}")

    def on_commit(self, before: FakeUnitOfWork, after: FakeUnitOfWork) -> None:
        """Check a committed transaction: no older secret replaces a newer one."""
        for id_, (account, token) in after.accounts.rows.items():
            old = before.accounts.rows.get(id_)
            if old is None or account.revision != old[0].revision:
                self._note_revision(account, _number(token.get_secret_value()))
            if old is not None and old[1] != token:
                was, now = _number(old[1].get_secret_value()), _number(token.get_secret_value())
                self.history.note(
                    "database", f"stores grant {account.amazon_seller_id}-{now}, revision {account.revision}"
                )
                if now < was:
                    self.history.violate("newest", f"grant {now} of {account.amazon_seller_id} replaced grant {was}")
            if old is not None and account.revision < old[0].revision:
                self.history.violate("newest", f"revision {account.revision} replaced {old[0].revision}")
        for id_, (_, secrets) in after.applications.rows.items():
            earlier = before.applications.rows.get(id_)
            if earlier is not None and earlier[1].client_secret != secrets.client_secret:
                was = _number(earlier[1].client_secret.get_secret_value())
                now = _number(secrets.client_secret.get_secret_value())
                self.history.note("database", f"stores secret {now}")
                if now < was:
                    self.history.violate("newest", f"secret {now} replaced secret {was}")

    def _note_revision(self, account: Account, grant: int) -> None:
        sent = self.world.amazon.sent_grants if self.world is not None else ()
        exchanged = any((seller, number) == (account.amazon_seller_id, grant) for _, seller, number in sent)
        self.revisions.store(account.amazon_seller_id, account.revision, grant, exchanged=exchanged)

    def on_reply(self, client: Node, method: str, response: bytes) -> None:
        """See a response that a node receives from a service."""
        self.revisions.read(client, method, response, self.now)

    def on_command(self, client: str, fields: list[bytes]) -> None:
        """Check the keys that a command of Redis names."""
        if fields[0].upper() not in _WRITING:
            if self.on_contest and fields[0].upper() == b"PTTL":
                self._note_contest(client, fields[1])
            return
        if fields[0].upper() == b"EVAL" and not _CHANGES.search(fields[1]):
            return
        for key in fields[1:]:
            if key.startswith(b"tok:{"):
                if key.endswith(b":lease"):
                    self._check_lease(client, key)
                elif key.endswith(b"}") and (fields[0].upper() not in _SCRIPTS or key == fields[3]):
                    # A script that has the entry as a later key only reads it.
                    self._check_entry(client, key, fenced=fields[0].upper() != b"SET")

    def _note_contest(self, client: str, key: bytes) -> None:
        """Report the owner of a lease for whose end another replica waits."""
        held = self._leases.get(key)
        if held is not None and held.client != client and self.now < held.until:
            self.on_contest.pop(0)(held.client, held.until)

    def _check_lease(self, client: str, key: bytes) -> None:
        assert self.world is not None
        owner, until = self.world.redis.value_and_end(key)
        held, now = self._leases.get(key), self.now
        if held is not None and now < held.until and client != held.client:
            if owner != held.owner:
                self.history.violate("lease", f"{client} ended the lease of {held.client}")
            elif until > held.until + 0.01:
                self.history.violate("lease", f"{client} prolonged the lease of {held.client}")
        if owner is None:
            self._leases.pop(key, None)
        elif held is None or held.owner != owner:
            if held is not None:
                self._expired[key, held.client] = held
            self._leases[key] = _HeldLease(owner, client, now, until)
            self.history.note("lease", f"of {client}")
            if self.on_lease:
                self.on_lease.pop(0)(client, until)
        else:
            held.until = until

    def _check_renewal(self, client: str, key: bytes) -> None:
        """Check that the lease of a client that stores its result has not expired, unless a fault kept it from the renewals."""
        present, earlier = self._leases.get(key), self._expired.pop((key, client), None)
        held = present if present is not None and present.client == client else earlier
        if held is not None and held.until < self.now:
            hit = (fault for fault in self.faults if fault.kind in STOP_RENEWALS and fault.concerns(client))
            if not any(fault.at + fault.seconds + 2.0 >= held.since for fault in hit):
                self.history.violate("lease", f"that of {client} has expired, and no fault kept it from the renewals")

    def _check_entry(self, client: str, key: bytes, *, fenced: bool) -> None:
        """Check an entry: without a lease none is replaced; an owner's entry is never replaced by an older token."""
        assert self.world is not None
        sealed, ends = self.world.redis.value_and_end(key)
        if fenced:
            self._check_renewal(client, key + b":lease")
        if sealed is None:
            self._entries.pop(key, None)
            return
        try:
            number = _token_number(sealed.decode(), key.decode())
        except SealError:
            return
        if number is None:
            return
        known, until, was_fenced = self._entries.get(key, (0, 0.0, False))
        if known and number != known and self.now < until:
            if not fenced:
                self.history.violate("fencing", f"{client} has no lease and replaced token {known} by token {number}")
            elif number < known and was_fenced:
                self.history.violate("fencing", f"{client} replaced token {known} by the older token {number}")
        self._entries[key] = number, ends, was_fenced if number == known else fenced

    def begin_call(self, key: str, seller: str) -> None:
        """Record the begin of a call of SP-API."""
        known = self.calls.get(key)
        self.calls[key] = Call(seller, self.now, begun=1 + (known.begun if known else 0))

    def end_call(self, key: str, error: SellergateError | None, *, writes: bool) -> None:
        """Record what the client learned: the call was executed (no error), was not, or may have been."""
        if error is None:
            self.calls[key].executed = True
        elif writes and error.domain and error.reason not in _UNKNOWN and BEGUN[0] not in error.metadata:
            self.calls[key].executed = False

    def on_call(self, seller: str, text: str, key: str, gateway: Node) -> None:
        """Check the token of a call that SP-API executes."""
        began = self.calls[key].began if key in self.calls else self.now
        if key in self.calls and self.calls[key].seller != seller:
            self.history.violate("owner", f"{key} of {self.calls[key].seller} was executed for {seller}")
        self.check_token(seller, text, began, f"SP-API, for {key},")
        assert self.world is not None
        token, oldest = self.world.amazon.tokens[text], self.revisions.oldest_grant(gateway, seller, began)
        if token.grant < oldest:
            words = f"{gateway} uses token {token.number} of grant {token.grant} for {key}, and has read of grant {oldest} before"
            self.history.violate("revision", words)

    def on_expired(self, token: IssuedToken, key: str, gateway: Node) -> None:
        """Check that a fault explains a call whose token has ended: a delay, or a token service that could not be reached."""
        if not self.disturbed(self.now, self.now) and not self.active(token.issued, self.now, DELAY_TOKENS):
            self.history.violate("expired", f"{gateway} uses token {token.number} for {key}, which has ended")

    def check_calls(self) -> None:
        """Check all calls after the run: what clients learned is true, retries stay in their budget, and quotas hold."""
        assert self.world is not None
        amazon = self.world.amazon
        for key, call in self.calls.items():
            executed = amazon.executed.get(key, 0)
            if call.executed is True and not executed:
                self.history.violate("outcome", f"{key} was reported as executed and was not")
            if call.executed is False and executed:
                self.history.violate("outcome", f"{key} was executed, and reported as not executed")
        self._check_budgets(amazon, self.world.attempts)
        self._check_new_grants(amazon, self.world.database.committed)
        quiet = [at for at in amazon.throttled if not self.disturbed(at - QUIET_SECONDS, at)]
        if len(quiet) > MOST_THROTTLED:
            self.history.violate("quota", f"Amazon throttled {len(quiet)} calls that no fault explains")

    def _check_budgets(self, amazon: SimulatedAmazon, attempts: Counter[tuple[str, str]]) -> None:
        """Check that each gateway repeated calls of an account no more often than its budget allows."""
        repeated: Counter[tuple[str, str]] = Counter()
        calls: Counter[tuple[str, str]] = Counter()
        for (gateway, key), count in attempts.items():
            if key in self.calls:
                begun = min(count, self.calls[key].begun)
                calls[gateway, self.calls[key].seller] += begun
                # A token that Amazon refused is replaced once for a call, which is no retry.
                repeated[gateway, self.calls[key].seller] += count - begun - min(begun, amazon.refused[key])
        for (gateway, seller), retries in repeated.items():
            starts = 1 + sum(fault.kind in ("crash", "stop") and fault.target == gateway for fault in self.faults)
            most = starts * ACCOUNT_RETRIES + ACCOUNT_SHARE * calls[gateway, seller]
            if retries > most:
                self.history.violate("budget", f"{gateway} sent {retries} retries for {seller}, more than {most:.0f}")

    def _check_new_grants(self, amazon: SimulatedAmazon, committed: FakeUnitOfWork) -> None:
        """Check that refresh tokens that LWA sent are stored, unless a fault or another change came between."""
        for at, seller, number in amazon.sent_grants:
            known = self.accounts[seller]
            changes = [*known.changes, *known.causes]
            losing = self.active(at - 1.0, at + 12.0, MAY_LOSE_GRANTS) or self._may_stop_first(at)
            late = LATEST_RESPONSE_SECONDS if self.active(at, at, SLOW_LWA) else 3.0
            if not losing and not any(at - 1.0 <= one <= at + late for one in changes):
                rows = committed.accounts.rows.values()
                stored = [_number(token.get_secret_value()) for row, token in rows if row.amazon_seller_id == seller]
                # No account holds the credentials that a caller keeps.
                if stored and stored[0] < number:
                    self.history.violate("newest", f"grant {number} that LWA sent for {seller} was not stored")

    def _may_stop_first(self, at: float) -> bool:
        """Return whether a process may end before a refresh token is stored that LWA sent at `at`.

        A token replica that is stopped waits for its exchanges, but not for those that begin after its stop.
        """
        stops = [fault for fault in self.faults if fault.kind == "stop" and at - 12.0 <= fault.at <= at + 12.0]
        return any(not fault.target.startswith("token") or fault.at <= at for fault in stops)

    def disturbed(self, since: float, until: float) -> bool:
        """Return whether a fault that delays more than acknowledgements was active in a span of the run, or shortly before."""
        return self.active(since, until, frozenset(FAULTS) - BEFORE_ACKNOWLEDGEMENT)

    def active(self, since: float, until: float, kinds: frozenset[str]) -> bool:
        """Return whether a fault of some kinds was active in a span of the run, or shortly before."""
        return any(
            fault.at <= until and fault.at + fault.seconds + 2.0 >= since
            for fault in self.faults
            if fault.kind in kinds
        )

    def _keeps_from_redis(self) -> bool:
        """Return whether a fault delays or loses commands of Redis at present."""
        assert self.world is not None
        return self.world.redis.holds_renewals > 0 or self.active(self.now, self.now, STOP_RENEWALS)

    def redis_lost_data(self) -> None:
        """Forget what is known about Redis."""
        self._leases.clear()
        self._expired.clear()
        self._entries.clear()

    def check_exchanges(self) -> None:
        """Check the exchanges since the last check: one for each life of a token, and one more for each fault that may cause it."""
        assert self.world is not None
        made = self.world.amazon.exchanges
        skews = [self.world.plan.skews.get(f"token-{number + 1}", 0.0) for number in range(REPLICAS["token"])]
        window = LIFE_SHARE * self.world.amazon.life - (max(skews) - min(skews)) - ROUNDING_SECONDS
        for index in range(self._seen_exchanges, len(made)):
            last = made[index]
            same = [
                one
                for one in made[: index + 1]
                if one.seller == last.seller and one.grant == last.grant and one.sent > last.sent - window
            ]
            if len(same) > 1 + self._causes(last.seller, min(one.sent for one in same), last.issued):
                numbers = ", ".join(str(one.number) for one in same)
                self.history.violate("exchange", f"tokens {numbers} were exchanged for one grant of {last.seller}")
        self._seen_exchanges = len(made)

    def _causes(self, seller: str, since: float, until: float) -> int:
        since -= AFTERMATH_SECONDS
        known = self.accounts[seller]
        causes = sum(since <= at <= until for at in known.causes)
        causes += sum(one.began <= until and since <= one.ended for one in known.exchanging)
        is_without_redis = any(since <= at <= until for at in self.without_redis)
        for fault in self.faults:
            if fault.kind in WITHOUT_REDIS and not is_without_redis:
                continue
            if fault.at <= until and fault.at + fault.seconds + AFTERMATH_SECONDS >= since + AFTERMATH_SECONDS:
                causes += COSTS.get(fault.kind, 0) if fault.concerns("token") else 0
        return causes

    def check_token(self, seller: str, text: str, began: float, where: str) -> None:
        """Check a token that a client got or Amazon saw, for an operation that began at `began`."""
        assert self.world is not None
        token, known = self.world.amazon.tokens[text], self.accounts[seller]
        if token.seller != seller:
            self.history.violate("owner", f"{where} has a token of {token.seller} for {seller}")
        if token.expires < self.now:
            self.history.violate(
                "expired", f"{where} has token {token.number}, which expired {self.now - token.expires:.1f} s ago"
            )
        required = max((grant for at, grant in known.grants if at <= began - TRUST_SECONDS), default=0)
        if token.grant < required:
            self.history.violate(
                "revision", f"{where} has token {token.number} of grant {token.grant}, 5 s after grant {required}"
            )
        announced = [(at, grant) for at, grant in known.grants if at <= began - PROMPT_SECONDS and grant > token.grant]
        if announced and not self.disturbed(announced[0][0] - 3.0, self.now):
            self.history.violate(
                "prompt", f"{where} has token {token.number} of grant {token.grant} after {announced[0][1]}"
            )
        at, active = known.states[-1]
        if not active and at <= began - TRUST_SECONDS and known.last_write_began <= at:
            self.history.violate("inactive", f"{where} has token {token.number} of an account inactive since {at:.3f}")


@lru_cache(256)
def _token_number(sealed: str, key: str) -> int | None:
    """Return the number of the token in a sealed entry; None for an entry without one. Raises SealError."""
    payload = json.loads(RING.open(sealed, key).get_secret_value())
    return _number(payload["access_token"].replace("|", "-")) if "access_token" in payload else None


def _number(text: str) -> int:
    return int(text.rpartition("-")[2])
