"""Amazon: LWA, which exchanges grants, and SP-API, which checks tokens, keeps quotas and executes calls."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from simulation.history import History
from simulation.world.loop import Node, now

CLIENT_ID = "amzn1.application-oa2-client.simulation"
APPLICATION = "APPLICATION"
"""The owner of tokens without a seller."""
RESTRICTED_MARK = "Atz.sprdt|"
"""The beginning of tokens for restricted data."""
RESTRICT = "tokens/2021-03-01/createRestrictedDataToken"


# Amazon's rate and burst of the sandbox, and of paths that the catalogue lacks.
OTHER_RATE = 5.0, 15
# The part of a path for which the application gets no token for restricted data.
NO_ACCESS = b"shippingLabels"


@dataclass(slots=True)
class IssuedToken:
    """An access token. `number` counts all tokens, `grant` and `secret` number the credentials that it was exchanged for.

    `sent` is the time at which its request was sent, from which the token service counts its life.
    """

    number: int
    seller: str
    grant: int
    secret: int
    sent: float
    issued: float
    expires: float
    revoked: float | None = None


@dataclass(slots=True)
class Seller:
    """A seller's authorization. `grants` are the ends of the refresh tokens' lives by number, in seconds; None: not known yet."""

    newest: int = 1
    ends: dict[int, float] = field(default_factory=dict)
    revoked: bool = False


@dataclass(slots=True)
class Bucket:
    """Amazon's own bucket of one operation and seller, in calls and calls per second."""

    rate: float
    burst: int
    level: float
    at: float

    def take(self, now: float) -> bool:
        """Take one call; return False if there is none."""
        self.level = min(self.burst, self.level + (now - self.at) * self.rate)
        self.at = now
        if self.level < 1 - 1e-9:
            return False
        self.level -= 1
        return True


@dataclass(slots=True)
class Outage:
    """What Amazon does wrong at present: "" (nothing), "hang", "error", "fail", "slow", "lost", "refuse" or "odd".

    "error": a proxy writes a page; "fail": SP-API itself writes an error.
    "odd": any other response, such as a refusal, or a body that no client understands.
    "lost": Amazon executes a request, and its response is lost. `share` is the share of requests that it concerns.
    """

    lwa: str = ""
    spapi: str = ""
    share: float = 1.0


class SimulatedAmazon:
    """LWA and SP-API. `life` is the life of access tokens in seconds."""

    def __init__(self, history: History, life: float, rates: dict[str, tuple[float, int]]) -> None:
        self.history = history
        self.life = life
        self.rates = rates
        self.outage = Outage()
        self.silent_requests: Counter[str] = Counter()
        """By host the requests whose senders wait although Amazon will not respond."""
        self.sellers: dict[str, Seller] = {}
        self.secret = 1
        self.secret_ends: dict[int, float] = {}
        self.tokens: dict[str, IssuedToken] = {}
        self.exchanges: list[IssuedToken] = []
        self.buckets: dict[tuple[str, str], Bucket] = {}
        self.executed: dict[str, int] = {}
        self.refused: Counter[str] = Counter()
        self.throttled: list[float] = []
        self.sends_new_grant: set[str] = set()
        self.on_new_grant: dict[str, asyncio.Future[None]] = {}
        self.sent_grants: list[tuple[float, str, int]] = []
        self.on_exchange: list[Callable[[str, float], None]] = []
        """What waits for the next token that is exchanged for a seller's grant, by the name of the node and the time."""
        self.on_call: Callable[[str, str, str, Node], None] = lambda *_: None
        """Sees each call that SP-API executes: seller, token, key and sender."""
        self.on_expired: Callable[[IssuedToken, str, Node], None] = lambda *_: None
        """Sees each call that SP-API refuses because its token has ended: token, key and sender."""

    @property
    def now(self) -> float:
        """The seconds since the start of the run."""
        return now()

    def grant_of(self, seller: str, number: int) -> str:
        """Return the text of a refresh token."""
        return f"Atzr|{seller}-{number}"

    def new_grant(self, seller: str) -> int:
        """Let a seller authorize again: return the number of the new refresh token."""
        one = self.sellers.setdefault(seller, Seller(newest=0))
        if one.newest:
            one.ends[one.newest] = self.now + 60
        one.newest += 1
        one.revoked = False
        return one.newest

    def new_secret(self, overlap: float) -> int:
        """Rotate the application's client secret; the old one ends after `overlap` seconds. Return the number of the new one."""
        self.secret_ends[self.secret] = self.now + overlap
        self.secret += 1
        return self.secret

    def exchange(self, form: dict[str, str], source: str, sent: float) -> tuple[int, dict[str, Any]]:
        """Exchange a grant, for a request that was sent at `sent`. Return the status and the body."""
        secret = int(form["client_secret"].rpartition("-")[2])
        if form["client_id"] != CLIENT_ID or (secret != self.secret and self.secret_ends.get(secret, 0.0) < self.now):
            self.history.note("lwa", f"refuses secret {secret} of {source}")
            return 401, {"error": "invalid_client"}
        if form["grant_type"] == "authorization_code":
            return 400, {"error": "invalid_grant"}
        if form.get("scope") == "unknown":
            return 400, {"error": "invalid_scope"}
        if form["grant_type"] == "client_credentials":
            return 200, self._issue(APPLICATION, 0, secret, source, sent)
        name, _, number = form["refresh_token"].removeprefix("Atzr|").rpartition("-")
        seller, grant = self.sellers[name], int(number)
        if seller.revoked or (grant != seller.newest and seller.ends.get(grant, 0.0) < self.now):
            self.history.note("lwa", f"refuses grant {name}-{grant} of {source}")
            return 400, {"error": "invalid_grant"}
        body = self._issue(name, grant, secret, source, sent)
        if self.on_exchange:
            self.on_exchange.pop(0)(source, self.now)
        if name in self.sends_new_grant and grant == seller.newest:
            self.sends_new_grant.discard(name)
            body["refresh_token"] = self.grant_of(name, self.new_grant(name))
            waiter = self.on_new_grant.pop(name, None)
            if waiter is not None and not waiter.done():
                waiter.set_result(None)
            self.sent_grants.append((self.now, name, seller.newest))
            self.history.note("lwa", f"sends grant {name}-{seller.newest} to {source}")
        return 200, body

    def _issue(self, owner: str, grant: int, secret: int, source: str, sent: float) -> dict[str, Any]:
        """Issue a token, and return the body of the response."""
        token = IssuedToken(len(self.exchanges) + 1, owner, grant, secret, sent, self.now, self.now + self.life)
        text = f"Atza|{token.number}"
        self.tokens[text] = token
        self.exchanges.append(token)
        self.history.note("lwa", f"issues token {token.number} for grant {owner}-{grant} to {source}")
        return {"access_token": text, "token_type": "bearer", "expires_in": self.life}

    def call(
        self, method: str, operation: str, text: str, key: str, sender: Node, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Execute a call of SP-API that `sender` made; `key` identifies it. Return status, headers and body."""
        token = self.tokens.get(text)
        if token is None or token.expires < self.now or token.revoked is not None:
            self.refused[key] += 1
            if token is not None and token.revoked is None:
                self.on_expired(token, key, sender)
            self.history.note("spapi", f"refuses token {token.number if token else '?'} of {key}")
            return (
                403,
                {"content-type": "application/json"},
                _body("Unauthorized", "Access to requested resource is denied."),
            )
        rate, burst = self.rates.get(operation, OTHER_RATE)
        bucket = self.buckets.setdefault((token.seller, operation), Bucket(rate, burst, burst, self.now))
        headers = {"x-amzn-RateLimit-Limit": str(rate), "content-type": "application/json"}
        if not bucket.take(self.now):
            self.throttled.append(self.now)
            self.history.note("spapi", f"throttles {key} of {token.seller}")
            return 429, headers, _body("QuotaExceeded", "You exceeded your quota for the requested resource.")
        if operation == RESTRICT and NO_ACCESS in body:
            return 400, headers, _body("InvalidInput", "Application does not have access to one or more data elements.")
        if operation == RESTRICT:
            return 200, headers, self._restrict(token)
        self.on_call(token.seller, text, key, sender)
        self.executed[key] = self.executed.get(key, 0) + 1
        self.history.note("spapi", f"executes {key} with token {token.number}")
        if method != "GET" and self.executed[key] > 1:
            self.history.violate("once", f"{key} was executed {self.executed[key]} times")
        return 200, headers, b'{"payload":{}}'

    def _restrict(self, token: IssuedToken) -> bytes:
        """Return a token for restricted data, which lives as long as the token with which it was requested."""
        text = f"{RESTRICTED_MARK}{len(self.tokens)}"
        self.tokens[text] = replace(token, issued=self.now)
        return json.dumps({"restrictedDataToken": text, "expiresIn": int(token.expires - self.now)}).encode()


def failure() -> tuple[int, dict[str, str], bytes]:
    """Return the response in which SP-API itself says that it has failed."""
    return 503, {"content-type": "application/json"}, _body("ServiceUnavailable", "Service is temporarily unavailable.")


def odd_lwa(draw: float) -> tuple[int, dict[str, str], bytes]:
    """Return a response of LWA that clients seldom see."""
    headers = {"content-type": "application/json"}
    status, more, body = (
        (200, {}, b"<html>"),
        (200, {}, b'{"token_type": "bearer"}'),
        (400, {}, b'{"error": "access_denied", "error_description": "no"}'),
        (400, {}, b'{"error": "unsupported_grant_type"}'),
        (401, {}, b'{"error": "invalid_client"}'),
        (429, {"retry-after": "1"}, b'{"error": "temporarily_unavailable"}'),
        (500, {}, b"[]"),
    )[int(draw * 7)]
    return status, headers | more, body


def odd_spapi(draw: float) -> tuple[int, dict[str, str], bytes]:
    """Return a refusal of SP-API, which executes nothing."""
    status, code = (
        (400, "InvalidInput"),
        (403, "Unauthorized"),
        (404, "NotFound"),
        (409, "Conflict"),
        (413, "TooLarge"),
        (429, "QuotaExceeded"),
    )[int(draw * 6)]
    return status, {"content-type": "application/json"}, _body(code, "Refused.", "")


def _body(code: str, message: str, details: str = "The access token you provided has expired.") -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message, "details": details}]}).encode()
