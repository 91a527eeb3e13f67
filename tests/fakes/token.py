"""Fakes of the token domain: Amazon's messages, rotations and website authorizations."""

import itertools
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count

from pydantic import SecretStr
from sellergate_account.accounts import Connection as StoredConnection
from sellergate_account.applications import ApplicationChanges, NewApplication
from sellergate_account.secrets.rotation import NewSecret
from sellergate_amazon.seller_central import SellerCentral
from sellergate_common.clock import Clock
from sellergate_common.errors import InvalidRequest, NotFound, PreconditionFailed, Reason, SellergateError
from sellergate_token.authorizations.ports import ApplicationView, Connection, Pending, Progress, StoredAuthorization
from sellergate_token.authorizations.service import Authorizations
from sellergate_token.ports import AccessToken, Code, Grant, LwaClient, RefreshToken
from sellergate_token.rotation.ports import StoredAccount, StoredApplication
from sellergate_token.rotation.service import Rotations
from sellergate_token.tokens.exchanges import REFUSED_SECONDS, Exchanges

from tests.fakes.account import Domain, FakeStore


def new_secret(client_id: str, secret: str, moment: datetime) -> str:
    """Return a message with a new client secret, published at `moment`."""
    return _message(
        "APPLICATION_OAUTH_CLIENT_NEW_SECRET",
        "applicationOAuthClientNewSecret",
        moment,
        clientId=client_id,
        newClientSecret=secret,
        newClientSecretExpiryTime=(moment + timedelta(days=180)).isoformat(),
        oldClientSecretExpiryTime=(moment + timedelta(days=7)).isoformat(),
    )


def secret_expiry(client_id: str, until: datetime, moment: datetime) -> str:
    """Return a message that warns of a secret's end."""
    return _message(
        "APPLICATION_OAUTH_CLIENT_SECRET_EXPIRY",
        "applicationOAuthClientSecretExpiry",
        moment,
        clientId=client_id,
        clientSecretExpiryTime=until.isoformat(),
        clientSecretExpiryReason="PERIODIC_ROTATION",
    )


def _message(kind: str, name: str, moment: datetime, **payload: str) -> str:
    return json.dumps(
        {
            "notificationVersion": "1.0",
            "notificationType": kind,
            "payload": {name: payload},
            "notificationMetadata": {
                "applicationId": "amzn1.sellerapps.app.1",
                "subscriptionId": "subscription",
                "publishTime": moment.isoformat(),
                "notificationId": "notification",
            },
        }
    )


CLIENT = SecretStr("amzn1.application-oa2-client.1")
START = datetime(2026, 11, 24, 12, tzinfo=UTC)


class DomainStored:
    """The port of rotations on the account domain itself, without gRPC."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self.writes = 0

    async def application(self, application_id: str) -> StoredApplication:
        found = await self._domain.applications.get(application_id, "")
        return StoredApplication(
            found.application_id,
            found.secret_expire_time,
            found.previous_secret_expire_time,
            found.secret_issue_time,
        )

    async def application_of_client(self, client_id: SecretStr) -> StoredApplication:
        return await self.application((await self._domain.applications.find(client_id)).application_id)

    async def client(self, application_id: str) -> LwaClient:
        _, opened = await self._domain.applications.secrets(application_id)
        return LwaClient(opened.client_id, opened.client_secret, opened.previous_client_secret)

    async def account(self, account_id: str) -> StoredAccount:
        found = await self._domain.accounts.get(account_id, "")
        return StoredAccount(found.account_id, found.application_id, found.revision)

    async def store_client_secret(
        self,
        application_id: str,
        client_secret: SecretStr,
        until: datetime | None,
        old_until: datetime | None,
        issue_time: datetime | None,
    ) -> bool:
        self.writes += 1
        new = NewSecret(client_secret, until, old_until, issue_time)
        _, superseded = await self._domain.applications.rotate(application_id, "", new)
        return not superseded

    async def store_refresh_token(
        self, account: StoredAccount, refresh_token: SecretStr, consent_until: datetime | None
    ) -> bool:
        self.writes += 1
        changed = await self._domain.accounts.rotate_refresh_token(
            account.account_id, account.revision, refresh_token, consent_until
        )
        return changed.revision != account.revision

    async def store_secret_expiry(self, application_id: str, until: datetime) -> None:
        self.writes += 1
        await self._domain.applications.update(application_id, "", ApplicationChanges(secret_expire_time=until), "")


@dataclass
class RotationLwa:
    secrets: set[str] = field(default_factory=lambda: {"secret-1"})
    refresh_tokens: set[str] = field(default_factory=lambda: {"Atzr|1"})

    async def exchange(self, client_id: SecretStr, client_secret: SecretStr, grant: Grant) -> AccessToken:
        if client_secret.get_secret_value() not in self.secrets:
            raise PreconditionFailed("invalid_client", reason=Reason.LWA_CLIENT_REJECTED)
        if isinstance(grant, RefreshToken) and grant.value.get_secret_value() not in self.refresh_tokens:
            raise PreconditionFailed("invalid_grant", reason=Reason.AUTHORIZATION_REVOKED)
        return AccessToken(SecretStr("Atza|1"), 0, 3600)


class RotationWorld:
    def __init__(self) -> None:
        self.time = START
        numbers = count(1)
        self.domain = Domain(FakeStore(), lambda: self.time, lambda: f"id-{next(numbers)}", lambda: "external")
        self.stored = DomainStored(self.domain)
        self.lwa = RotationLwa()
        self.exchanges = Exchanges(self.lwa, self.seconds)
        self.rotations = Rotations(self.stored, self.exchanges, lambda: self.time)

    def seconds(self) -> float:
        return (self.time - START).total_seconds()

    async def application(self, owner: str = "", client: SecretStr = CLIENT) -> str:
        new = NewApplication(owner, client, SecretStr("secret-1"), secret_expire_time=self.time + timedelta(days=20))
        return (await self.domain.applications.create(new, "")).application_id

    async def account(self, application_id: str, seller: str = "SELLER1") -> str:
        connection = StoredConnection("u1", seller, "US", application_id, refresh_token=SecretStr("Atzr|1"))
        return (await self.domain.accounts.upsert(connection))[0].account_id

    async def refresh_token(self, account_id: str) -> str:
        return (await self.domain.accounts.secrets(account_id))[3].get_secret_value()


APPLICATION = ApplicationView(
    "app", "", "amzn1.sp.solution.1", ("https://ours.example/cb", "https://ours.example/2"), False
)


class FakeStates:
    """States in memory, which expire by the world's clock."""

    def __init__(self, now: list[float]) -> None:
        self._now = now
        self.entries: dict[str, tuple[Pending, float]] = {}
        self.advanced: dict[str, tuple[StoredAuthorization, float]] = {}
        self._marks = count(1)
        self.down: SellergateError | None = None

    async def keep(self, state: SecretStr, pending: Pending, seconds: float) -> None:
        if self.down:
            raise self.down
        self.entries[state.get_secret_value()] = pending, self._now[0] + seconds

    async def find(self, state: SecretStr) -> StoredAuthorization | None:
        if self.down:
            raise self.down
        kept, end = self.advanced.get(state.get_secret_value(), (None, 0.0))
        if kept is not None and end > self._now[0]:
            return kept
        pending, end = self.entries.get(state.get_secret_value(), (None, 0.0))
        return StoredAuthorization(pending, None, "begun") if pending is not None and end > self._now[0] else None

    async def advance(
        self, state: SecretStr, kept: StoredAuthorization, progress: Progress, seconds: float
    ) -> StoredAuthorization | None:
        if await self.find(state) != kept:
            return None
        self.entries.pop(state.get_secret_value(), None)
        after = StoredAuthorization(progress.pending, progress, f"mark-{next(self._marks)}")
        self.advanced[state.get_secret_value()] = after, self._now[0] + seconds
        return after


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
    """Accounts by user, seller and marketplace, as in the account service."""

    stored: dict[tuple[str, str, str], Connection] = field(default_factory=dict)

    writes: int = 0
    down: SellergateError | None = None

    async def connect(self, connection: Connection) -> tuple[str, Connection]:
        if self.down:
            raise self.down
        self.writes += 1
        key = connection.user_id, connection.selling_partner_id, connection.marketplace
        self.stored[key] = connection
        return "|".join(key), connection

    async def account(self, account_id: str) -> Connection:
        user, seller, marketplace = account_id.split("|")
        return self.stored[user, seller, marketplace]


@dataclass
class AuthorizationLwa:
    now: list[float]
    codes: dict[str, str] = field(default_factory=dict)
    """The refresh token of each code that is not redeemed yet; empty: LWA sends none."""
    refused: SellergateError | None = None
    """The error with which a refresh token is refused."""
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


class AuthorizationWorld:
    def __init__(self) -> None:
        self.now = [1_000_000.0]
        self.applications = FakeApplications()
        self.sellers = FakeSellers()
        self.states = FakeStates(self.now)
        self.lwa = AuthorizationLwa(self.now)
        numbers = itertools.count(1)
        self._monotonic = [0.0]
        self.authorizations: Authorizations[Connection] = Authorizations(
            self.applications,
            self.sellers,
            self.states,
            Exchanges(self.lwa, lambda: self._monotonic[0]),
            SellerCentral(),
            Clock(wall=lambda: self.now[0]),
            lambda: f"random-{next(numbers)}",
        )

    def exchanges_pause(self) -> None:
        """Advance the clock by the seconds for which a refused LWA client is not tried again."""
        self._monotonic[0] += REFUSED_SECONDS
