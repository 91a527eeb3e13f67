"""Rotations on the account domain in memory: what is stored, for how long, and what Amazon takes, by one clock of the test's."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from pydantic import SecretStr
from sellergate_account.accounts import Connection
from sellergate_account.applications import ApplicationChanges, NewApplication
from sellergate_common.errors import PreconditionFailed, Reason
from sellergate_token.exchanges import Exchanges
from sellergate_token.ports import AccessToken, Grant, LwaClient, RefreshToken
from sellergate_token.rotation import Rotations
from sellergate_token.rotation_ports import StoredAccount, StoredApplication

from tests.fakes.account_domain import Domain
from tests.fakes.account_store import FakeStore

CLIENT = SecretStr("amzn1.application-oa2-client.1")
START = datetime(2026, 11, 24, 12, tzinfo=UTC)


class DomainStored:
    """The port of rotations on the account domain itself, in place of gRPC."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self.writes = 0

    async def application(self, application_id: str) -> StoredApplication:
        found = await self._domain.applications.get(application_id, "")
        return StoredApplication(found.application_id, found.secret_expire_time, found.previous_secret_expire_time)

    async def application_of_client(self, client_id: SecretStr) -> StoredApplication:
        return await self.application((await self._domain.applications.find(client_id)).application_id)

    async def client(self, application_id: str) -> LwaClient:
        _, opened = await self._domain.applications.secrets(application_id)
        return LwaClient(opened.client_id, opened.client_secret, opened.previous_client_secret)

    async def account(self, account_id: str) -> StoredAccount:
        found = await self._domain.accounts.get(account_id, "")
        return StoredAccount(found.account_id, found.application_id, found.revision)

    async def store_client_secret(
        self, application_id: str, client_secret: SecretStr, until: datetime | None, old_until: datetime | None
    ) -> None:
        self.writes += 1
        await self._domain.applications.rotate(application_id, "", client_secret, old_until, until)

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
class FakeLwa:
    secrets: set[str] = field(default_factory=lambda: {"secret-1"})
    refresh_tokens: set[str] = field(default_factory=lambda: {"Atzr|1"})

    async def exchange(self, client_id: SecretStr, client_secret: SecretStr, grant: Grant) -> AccessToken:
        if client_secret.get_secret_value() not in self.secrets:
            raise PreconditionFailed("invalid_client", reason=Reason.LWA_CLIENT_REJECTED)
        if isinstance(grant, RefreshToken) and grant.value.get_secret_value() not in self.refresh_tokens:
            raise PreconditionFailed("invalid_grant", reason=Reason.AUTHORIZATION_REVOKED)
        return AccessToken(SecretStr("Atza|1"), 0, 3600)


class World:
    def __init__(self) -> None:
        self.time = START
        numbers = count(1)
        self.domain = Domain(FakeStore(), lambda: self.time, lambda: f"id-{next(numbers)}", lambda: "external")
        self.stored = DomainStored(self.domain)
        self.lwa = FakeLwa()
        self.exchanges = Exchanges(self.lwa, self.seconds)
        self.rotations = Rotations(self.stored, self.exchanges, lambda: self.time)

    def seconds(self) -> float:
        return (self.time - START).total_seconds()

    async def application(self, owner: str = "", client: SecretStr = CLIENT) -> str:
        new = NewApplication(owner, client, SecretStr("secret-1"), secret_expire_time=self.time + timedelta(days=20))
        return (await self.domain.applications.create(new, "")).application_id

    async def account(self, application_id: str, seller: str = "SELLER1") -> str:
        connection = Connection("u1", seller, "US", application_id, refresh_token=SecretStr("Atzr|1"))
        return (await self.domain.accounts.upsert(connection))[0].account_id

    async def refresh_token(self, account_id: str) -> str:
        return (await self.domain.accounts.secrets(account_id))[3].get_secret_value()
