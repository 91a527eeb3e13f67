"""The account domain on a store, wired as the service wires it; times, ids and the actor are the test's to choose."""

import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime

from sellergate_account.accounts import Accounts
from sellergate_account.applications import Applications
from sellergate_account.audit import Audit
from sellergate_account.clients import Clients
from sellergate_account.ids import new_external_id, new_uuid7
from sellergate_account.model import Actor
from sellergate_account.ports import Store

AUDIT_KEY = os.urandom(32)


class Announced(list[str]):
    async def changed(self, account_id: str) -> None:
        self.append(account_id)


class Domain:
    def __init__(
        self,
        store: Store,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_id: Callable[[], str] = new_uuid7,
        new_external: Callable[[], str] = new_external_id,
    ) -> None:
        self.store = store
        self.announced = Announced()
        self.actor = Actor("edge", "u1", "request-1")
        self.audit = Audit(AUDIT_KEY, now, lambda: self.actor)
        self.applications = Applications(store, self.audit, now, new_id)
        self.accounts = Accounts(store, self.applications, self.audit, self.announced, now, new_id, new_external)
        self.clients = Clients(store, self.accounts, self.audit, now, lambda: secrets.token_urlsafe(32))
