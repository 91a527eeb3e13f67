"""The one table of figures: what each is, the goal, and the bound that docs/performance.md promises and `make bench` enforces."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bound:
    """A figure's bound. `goal` is None where the promise is all that is wanted; `at_most`: smaller is better."""

    name: str
    words: str
    promised: float
    goal: float | None = None
    at_most: bool = False

    def is_kept(self, figure: float) -> bool:
        """Return whether a figure keeps the promise."""
        return self._reaches(figure, self.promised)

    def is_met(self, figure: float) -> bool:
        """Return whether a figure meets the goal."""
        return self._reaches(figure, self.promised if self.goal is None else self.goal)

    def _reaches(self, figure: float, wanted: float) -> bool:
        return figure <= wanted if self.at_most else figure >= wanted


def _least(name: str, words: str, promised: float, goal: float | None = None) -> Bound:
    return Bound(name, words, promised, goal)


def _most(name: str, words: str, promised: float, goal: float | None = None) -> Bound:
    return Bound(name, words, promised, goal, at_most=True)


BOUNDS = (
    _least("gateway.shared", "Call, quota in Redis: calls/s of a bare pass-through's", 0.42, 0.65),
    _least("gateway.local", "Call, quota local: calls/s of a bare pass-through's", 0.55, 0.80),
    _least("gateway.signed", "signed Call: calls/s of an unsigned one's", 0.85, 0.95),
    _least("gateway.delayed", "Call, upstream of 50 ms: calls/s of the bare one's", 0.65, 0.97),
    _least("gateway.delayed_of_ideal", "Call, upstream of 50 ms: calls/s of the callers' own limit", 0.50),
    _most("gateway.delayed_p50", "Call, upstream of 50 ms: p50 of the bare one's", 1.50, 1.05),
    _most("gateway.cost", "Call, warm: CPU of the gateway, in echoes", 4.7, 4.1),
    _least("streams.of_unary", "StreamCalls: calls/s of Call's", 1.25, 1.25),
    _least("streams.of_bare", "StreamCalls: calls/s of a bare unary pass-through's", 0.65, 0.80),
    _most("streams.cost", "StreamCalls: CPU of the gateway for one call, in echoes", 3.3, 3.3),
    _least("tokens.of_echo", "GetAccessToken, warm: calls/s of a bare echo's", 0.62, 0.80),
    _least("edge.of_call", "the same call by REST: calls/s of Call's", 0.70),
    _least("sellers.in_turn", "10,000 sellers in turn: calls/s of one seller's", 0.80, 0.90),
    _most("sellers.account_share", "10,000 sellers in turn: CPU of account, of the gateway's", 0.10, 0.03),
    *(
        bound
        for key, words in (("postgresql", "PostgreSQL"), ("sqlite", "SQLite"))
        for bound in (
            _most(f"cold.{key}.get_account", f"GetAccount, {words}: CPU of account, in echoes", 15.0, 4.0),
            _most(f"cold.{key}.upsert", f"UpsertAccount, {words}: CPU of account, in echoes", 60.0, 20.0),
            _most(f"cold.{key}.account", f"first call of a seller, {words}: CPU of account, in echoes", 80.0, 27.0),
            _most(f"cold.{key}.token", f"first call of a seller, {words}: CPU of token, in echoes", 50.0, 17.0),
            _most(f"cold.{key}.gateway", f"first call of a seller, {words}: CPU of the gateway, in echoes", 40.0, 14.0),
        )
    ),
    _most("growth.call", "Call: CPU of all services, with the most accounts, of one account's", 1.15, 1.10),
    _most("growth.get_account", "GetAccount: CPU of account, with the most accounts, of one account's", 1.30, 1.10),
    _least("peers.async", "client library, 64 callers: calls/s of python-amazon-sp-api's async client", 1.0, 2.5),
    _least("peers.stream", "the same, 64 calls at once over one stream", 1.2, 2.5),
    _least("peers.sync", "client library without await, one thread: calls/s of python-amazon-sp-api's", 0.12, 1.0),
    _least("peers.sync_of_bare", "the same: calls/s of a bare pass-through's that is called without await", 0.22),
    _least("peers.sync_delayed", "the same, upstream of 50 ms: calls/s of python-amazon-sp-api's", 0.85, 1.0),
    *(
        _most(f"start.{name}", f"{name} until healthy: seconds of `import grpc`", 15.0)
        for name in ("account", "token", "iam", "gateway", "edge")
    ),
)
BY_NAME = {bound.name: bound for bound in BOUNDS}
