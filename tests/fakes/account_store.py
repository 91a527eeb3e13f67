"""The account store in memory; it passes the same contract test as the SQL one."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pydantic import SecretStr
from sellergate_account.model import Account, Application, ApplicationSecrets, Filter, Place
from sellergate_account.ports import DuplicateKey, InUse, Work


@dataclass
class FakeWork:
    rows: dict[str, tuple[Account, SecretStr]] = field(default_factory=dict)
    clients: dict[str, tuple[Application, ApplicationSecrets]] = field(default_factory=dict)
    external_ids: dict[str, str] = field(default_factory=dict)

    async def account(self, account_id: str) -> Account | None:
        return self.rows[account_id][0] if account_id in self.rows else None

    async def account_of_seller(self, user_id: str, amazon_seller_id: str, marketplace: str) -> Account | None:
        key = user_id, amazon_seller_id, marketplace
        return next((account for account, _ in self.rows.values() if _key(account) == key), None)

    async def accounts(self, narrowed: Filter, after: Place | None, limit: int) -> Sequence[Account]:
        def wanted(account: Account) -> bool:
            return (
                (not narrowed.user_id or account.user_id == narrowed.user_id)
                and (not narrowed.states or account.state in narrowed.states)
                and (not narrowed.marketplaces or account.marketplace in narrowed.marketplaces)
                and (after is None or (account.create_time, account.account_id) > (after.create_time, after.id))
            )

        found = sorted(
            (account for account, _ in self.rows.values() if wanted(account)),
            key=lambda account: (account.create_time, account.account_id),
        )
        return found[:limit]

    async def add_account(self, account: Account, refresh_token: SecretStr) -> None:
        if account.account_id in self.rows or await self.account_of_seller(*_key(account)):
            raise DuplicateKey
        self.rows[account.account_id] = (account, refresh_token)

    async def save_account(self, account: Account, refresh_token: SecretStr | None) -> None:
        self.rows[account.account_id] = (account, refresh_token or self.rows[account.account_id][1])

    async def remove_account(self, account_id: str) -> None:
        self.rows.pop(account_id, None)

    async def refresh_token(self, account: Account) -> SecretStr:
        return self.rows[account.account_id][1]

    async def application(self, application_id: str) -> Application | None:
        return self.clients[application_id][0] if application_id in self.clients else None

    async def application_of_client(self, owner_user_id: str, client_id: SecretStr) -> Application | None:
        return next(
            (
                application
                for application, secrets in self.clients.values()
                if (application.owner_user_id, secrets.client_id) == (owner_user_id, client_id)
            ),
            None,
        )

    async def applications(
        self, owners: Sequence[str] | None, after: Place | None, limit: int
    ) -> Sequence[Application]:
        def wanted(one: Application) -> bool:
            place = one.create_time, one.application_id
            return (owners is None or one.owner_user_id in owners) and (
                after is None or place > (after.create_time, after.id)
            )

        found = (application for application, _ in self.clients.values() if wanted(application))
        return sorted(found, key=lambda one: (one.create_time, one.application_id))[:limit]

    async def remove_application(self, application_id: str) -> None:
        if any(account.application_id == application_id for account, _ in self.rows.values()):
            raise InUse
        self.clients.pop(application_id, None)

    async def add_application(self, application: Application, secrets: ApplicationSecrets) -> None:
        if await self.application_of_client(application.owner_user_id, secrets.client_id):
            raise DuplicateKey
        self.clients[application.application_id] = (application, secrets)

    async def save_application(self, application: Application, secrets: ApplicationSecrets) -> None:
        self.clients[application.application_id] = (application, secrets)

    async def application_secrets(self, application: Application) -> ApplicationSecrets:
        return self.clients[application.application_id][1]

    async def external_id(self, user_id: str, proposed: str) -> str:
        return self.external_ids.setdefault(user_id, proposed)


@dataclass
class FakeStore:
    work: FakeWork = field(default_factory=FakeWork)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Work]:
        yield self.work

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Work]:
        before = FakeWork(dict(self.work.rows), dict(self.work.clients), dict(self.work.external_ids))
        try:
            yield self.work
        except BaseException:
            self.work = before
            raise


def _key(account: Account) -> tuple[str, str, str]:
    return account.user_id, account.amazon_seller_id, account.marketplace
