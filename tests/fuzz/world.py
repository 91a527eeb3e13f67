"""The data before fuzzing: users with accounts, applications and drop-in clients, and the texts that requests name."""

from dataclasses import dataclass, field

import httpx
from sellergate_amazon.operations import Catalogue

from tests.e2e.conftest import Rest
from tests.e2e.dropin import DropIn, neighbour
from tests.e2e.sellers import Seller
from tests.fuzz.messages import Known

USERS = ("fuzz-user", "fuzz-other")
_ODD_USERS = ("", "u" * 200, "a\u00a0b", " ", "nobody")
_ADDRESS = "127.0.9.250"


@dataclass
class World:
    """Users and their data, which can be created again after fuzzing has deleted some."""

    rest: Rest
    control: httpx.AsyncClient
    known: Known = field(default_factory=Known)
    sellers: list[Seller] = field(default_factory=list)
    sdk_tokens: tuple[str, ...] = ()

    @classmethod
    async def made(cls, rest: Rest, control: httpx.AsyncClient) -> "World":
        """Connect sellers of two users."""
        world = cls(rest, control)
        world.sellers = [await Seller.seeded(control) for _ in USERS]
        world._add_known_texts()
        await world.refresh()
        return world

    @property
    def callers(self) -> tuple[str, ...]:
        """Return the users on whose behalf RPCs are called: mostly real ones, and invalid ones."""
        return (*USERS * 6, *(user for user in _ODD_USERS if user.isascii() and user.strip()))

    @property
    def tokens(self) -> tuple[str, ...]:
        """Return users' tokens for the REST API."""
        return tuple(self.rest.suite.jwt(user, 7200) for user in USERS)

    async def refresh(self) -> None:
        """Create deleted data again, and read the present IDs and etags."""
        found: dict[str, list[str]] = {name: [] for name in ("account_id", "application_id", "etag", "client_id")}
        for user, seller in zip(USERS, self.sellers, strict=True):
            for marketplace in ("US", "CA"):
                body = seller.connection(marketplace=marketplace)
                response = await self.rest.request("POST", "/api/amazon/accounts", user, json=body)
                if response.is_success:
                    account = response.json()
                    found["account_id"].append(account["id"])
                    found["application_id"].append(account["applicationId"])
                    found["etag"].append(response.headers.get("etag", "").strip('"'))
        for name, texts in found.items():
            if texts:
                self.known.replace(name, texts)
        for name in ("amazon_account_id", "account_ids"):
            self.known.replace(name, found["account_id"])
        await self._exchange(found["account_id"])

    async def _exchange(self, account_ids: list[str]) -> None:
        """Get tokens of the drop-in endpoint, once for each user without a valid one."""
        tokens = []
        for user, account_id in zip(USERS, account_ids[::2], strict=False):
            try:
                sdk = await DropIn.made(self.rest, user, account_id)
                async with neighbour(self.rest.suite, _ADDRESS) as client:
                    tokens.append(await sdk.token(client))
            except AssertionError:
                continue  # fuzzing has used up a user's limit; older tokens suffice
            self.known.add("client_id", sdk.client_id)
            self.known.add("client_secret", sdk.client_secret)
            self.known.add("refresh_token", sdk.handle)
            self.known.add("handle", sdk.handle)
        self.sdk_tokens = (*self.sdk_tokens, *tokens)[-20:]

    def _add_known_texts(self) -> None:
        """Add the texts that do not change."""
        operations = list(Catalogue.load())
        paths = [operation.path for operation in operations]
        parameters = {part[1:-1] for path in paths for part in path.split("/") if part.startswith("{")}
        for name, texts in {
            "user_id": USERS,
            "amazon_seller_id": [seller.seller_id for seller in self.sellers],
            "selling_partner_id": [seller.seller_id for seller in self.sellers],
            "lwa_client_id": [seller.client_id for seller in self.sellers],
            "lwa_client_secret": [seller.client_secret for seller in self.sellers],
            "refresh_token": [seller.refresh_token for seller in self.sellers],
            "iam_role_arn": [seller.role_arn for seller in self.sellers],
            "marketplace": ["US", "CA", "DE", "JP", "XX", "us"],
            "marketplace_id": ["ATVPDKIKX0DER", "A2EUQ1WTGCTBG2", "A0"],
            "marketplace_ids": ["ATVPDKIKX0DER", "A2EUQ1WTGCTBG2"],
            "region": ["us-east-1", "eu-west-1", "us-west-2"],
            "spapi_region": ["NA", "EU", "FE", "na"],
            "operation": [operation.name for operation in operations],
            "name": [operation.name for operation in operations[:20]],
            "path": [*paths, *(path.replace("{", "").replace("}", "") for path in paths), "/sellers/v1/../x"],
            "key": sorted(parameters),
            "value": ["1", "ATVPDKIKX0DER", "a/b", "..", "%2e", "%", "GET_MERCHANT_LISTINGS_DATA"],
            "raw_query": ["", "MarketplaceIds=ATVPDKIKX0DER", "a=%ff&&=", "MarketplaceIds=%", "a&b=c+d%20e"],
            "report_type": ["GET_MERCHANT_LISTINGS_ALL_DATA", "GET_FLAT_FILE_ALL_ORDERS_DATA_BY_LAST_UPDATE_GENERAL"],
            "document_id": ["amzn1.spdoc.1.4.na.1", "1"],
            "scope": ["sellingpartnerapi::notifications", "sellingpartnerapi::migration", "x"],
            "grant_type": ["refresh_token", "client_credentials"],
            "paths": [
                "region",
                "marketplace",
                "marketplace_ids",
                "sandbox",
                "signing_mode",
                "iam_role_arn",
                "state",
                "name",
                "*",
            ],
            "search": ["order", "", "GET"],
            "url": ["https://sellingpartnerapi-na.amazon.com/orders/v0/orders", "http://127.0.0.1/", "https://[", "x:"],
            "state": ["ACTIVE", "INACTIVE"],
            "data_elements": ["buyerInfo", "shippingAddress"],
            "amazon_callback_uri": [f"{self.rest.suite.simulator}/apps/authorize/confirm/amzn1.sp.solution.x"],
        }.items():
            self.known.replace(name, list(texts))
