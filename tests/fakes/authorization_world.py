"""The surroundings of an authorization in memory: applications, accounts, states, and an LWA that redeems each code once."""

import itertools
from dataclasses import dataclass, field, replace

from pydantic import SecretStr
from sellergate_amazon.centrals import Centrals
from sellergate_common.errors import InvalidRequest, NotFound, PreconditionFailed, Reason, SellergateError
from sellergate_token.authorization_ports import ApplicationView, Connection, Pending
from sellergate_token.authorizations import Authorizations
from sellergate_token.exchanges import Exchanges
from sellergate_token.ports import AccessToken, Code, Grant, LwaClient, RefreshToken

APPLICATION = ApplicationView(
    "app", "", "amzn1.sp.solution.1", ("https://ours.example/cb", "https://ours.example/2"), False
)


class FakeStates:
    """States in memory, gone when their time is over by the world's clock."""

    def __init__(self, now: list[float]) -> None:
        self._now = now
        self.entries: dict[str, tuple[Pending, float]] = {}
        self.down: SellergateError | None = None

    async def keep(self, state: SecretStr, pending: Pending, seconds: float) -> None:
        if self.down:
            raise self.down
        self.entries[state.get_secret_value()] = pending, self._now[0] + seconds

    async def take(self, state: SecretStr) -> Pending | None:
        if self.down:
            raise self.down
        pending, end = self.entries.pop(state.get_secret_value(), (None, 0.0))
        return pending if end > self._now[0] else None


@dataclass
class FakeApplications:
    known: dict[str, ApplicationView] = field(default_factory=lambda: {"app": APPLICATION})
    previous: SecretStr | None = None
    opened: int = 0

    async def view(self, application_id: str) -> ApplicationView:
        if application_id not in self.known:
            raise NotFound.application(application_id)
        return self.known[application_id]

    async def client(self, application_id: str) -> LwaClient:
        self.opened += 1
        return LwaClient(SecretStr(f"client of {application_id}"), SecretStr("secret"), self.previous)


@dataclass
class FakeSellers:
    """Accounts by user, seller and marketplace, as the account service keeps them."""

    stored: dict[tuple[str, str, str], Connection] = field(default_factory=dict)

    async def connect(self, connection: Connection) -> Connection:
        self.stored[connection.user_id, connection.selling_partner_id, connection.marketplace] = connection
        return connection


@dataclass
class FakeLwa:
    now: list[float]
    codes: dict[str, str] = field(default_factory=dict)
    """The refresh token of each code that was not redeemed yet; an empty one: LWA sends none."""
    refused: SellergateError | None = None
    """What a refresh token is refused with."""
    secret: str = "secret"
    seen: list[Grant] = field(default_factory=list)

    async def exchange(self, client_id: SecretStr, client_secret: SecretStr, grant: Grant) -> AccessToken:
        if client_secret.get_secret_value() != self.secret:
            raise PreconditionFailed("client", reason=Reason.LWA_CLIENT_REJECTED)
        self.seen.append(grant)
        token = AccessToken(SecretStr("Atza|1"), self.now[0] + 3600, 3600)
        if isinstance(grant, Code):
            refresh_token = self.codes.pop(grant.value.get_secret_value(), None)
            if refresh_token is None:
                raise InvalidRequest.of_field("code", "is refused by Amazon (invalid_grant)")
            return replace(token, refresh_token=SecretStr(refresh_token) if refresh_token else None)
        assert isinstance(grant, RefreshToken)
        if self.refused:
            raise self.refused
        return replace(token, refresh_token=grant.value)


class World:
    def __init__(self) -> None:
        self.now = [1_000_000.0]
        self.applications = FakeApplications()
        self.sellers = FakeSellers()
        self.states = FakeStates(self.now)
        self.lwa = FakeLwa(self.now)
        numbers = itertools.count(1)
        self.authorizations: Authorizations[Connection] = Authorizations(
            self.applications,
            self.sellers,
            self.states,
            Exchanges(self.lwa),
            Centrals(),
            lambda: self.now[0],
            lambda: f"random-{next(numbers)}",
        )
