"""Sellers of the load: each has an application, an account, and a row of refresh tokens that replace each other."""

import secrets
import time
from dataclasses import dataclass, field

import httpx
from sellergate_simulator.control.journal import digest

from chaos.history import Grant
from chaos.world import World
from tests.e2e.sellers import Seller


@dataclass
class Account:
    """A connected seller. `busy` while a change is made, so that changes have an order."""

    number: int
    seller: Seller
    id: str = ""
    grants: list[Grant] = field(default_factory=list)
    busy: bool = False
    version: int = 0
    """The account's version when the scenario began."""

    async def add_grant(self, world: World) -> str:
        """Create the seller's next refresh token at Amazon, and return it."""
        token = self.seller.refresh_token if not self.grants else f"Atzr|{secrets.token_urlsafe(64)}"
        self.grants.append(Grant(len(self.grants) + 1, digest(token.encode()), time.monotonic()))
        given = [{"client_id": self.seller.client_id, "refresh_token": token}]
        seller = {
            "selling_partner_id": self.seller.seller_id,
            "marketplace_ids": [self.seller.marketplace_id],
            "refresh_tokens": given,
        }
        await world.post_control("seed", sellers=[seller])
        return token

    def required(self, began: float, trust_seconds: float) -> int:
        """Return the oldest grant that an operation may use which began at a moment."""
        known = [one.number for one in self.grants if one.acknowledged and one.acknowledged <= began - trust_seconds]
        return max(known, default=0)

    def number_of(self, digest_of_grant: str) -> int:
        """Return the number of a grant; 0 for an unknown one."""
        return next((one.number for one in self.grants if one.digest == digest_of_grant), 0)


async def connect(world: World, count: int) -> list[Account]:
    """Connect sellers through the edge; every second one has a role, so that its calls are signed."""
    found = []
    headers = {"Authorization": f"Bearer {world.jwt()}"}
    async with httpx.AsyncClient(base_url=world.edge, headers=headers, timeout=60, trust_env=False) as edge:
        for number in range(count):
            seller = await Seller.seeded(world.control)
            account = Account(number, seller)
            await account.add_grant(world)
            role = {} if number % 2 else {"iamRoleArn": None}
            response = await edge.post("/api/amazon/accounts", json=seller.connection(**role))
            response.raise_for_status()
            account.id = response.json()["id"]
            account.grants[0].acknowledged = time.monotonic()
            found.append(account)
    return found
