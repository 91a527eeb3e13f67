"""Sellers for end-to-end tests, each with its own application, grant and role."""

import secrets
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class Seller:
    seller_id: str
    client_id: str
    client_secret: str
    refresh_token: str
    role_arn: str
    marketplace: str = "US"
    marketplace_id: str = "ATVPDKIKX0DER"

    @classmethod
    async def seeded(cls, control: httpx.AsyncClient) -> "Seller":
        """Create a seller and seed it into the simulator."""
        seller = cls.made()
        response = await control.post("/control/seed", json=seller.seed())
        assert response.is_success, response.text
        return seller

    @classmethod
    def made(cls) -> "Seller":
        """Create a seller that is not yet seeded into the simulator."""
        number = secrets.token_hex(6).upper()
        return cls(
            seller_id=f"A{number}",
            client_id=f"amzn1.application-oa2-client.{secrets.token_hex(16)}",
            client_secret=f"amzn1.oa2-cs.v1.{secrets.token_hex(32)}",
            refresh_token=f"Atzr|{secrets.token_urlsafe(64)}",
            role_arn=f"arn:aws:iam::123456789012:role/{number}",
        )

    def seed(self) -> dict[str, Any]:
        return {
            "applications": [
                {
                    "application_id": f"amzn1.sp.solution.{self.seller_id}",
                    "client_id": self.client_id,
                    "client_secret": self.client_secret,
                }
            ],
            "sellers": [
                {
                    "selling_partner_id": self.seller_id,
                    "marketplace_ids": [self.marketplace_id],
                    "refresh_tokens": [{"client_id": self.client_id, "refresh_token": self.refresh_token}],
                }
            ],
            "roles": [{"arn": self.role_arn, "external_id": None}],
        }

    def connection(self, **changes: Any) -> dict[str, Any]:
        """The body that connects the seller over REST."""
        return {
            "amazonSellerId": self.seller_id,
            "marketplace": self.marketplace,
            "lwaClientId": self.client_id,
            "lwaClientSecret": self.client_secret,
            "refreshToken": self.refresh_token,
            "iamRoleArn": self.role_arn,
            "marketplaceIds": [self.marketplace_id],
            **changes,
        }

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets that must appear nowhere."""
        return self.client_secret, self.refresh_token
