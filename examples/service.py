"""An internal service: it prints an account's orders of the last week.

Addresses and certificate come from SELLERGATE_GATEWAY_TARGET, SELLERGATE_ACCOUNT_TARGET, SELLERGATE_TLS_CA_FILE, …_CERT_FILE
and …_KEY_FILE.
"""

import asyncio
import os
from datetime import UTC, datetime, timedelta

from sellergate_client import QuotaExceeded, SellergateError, SellingPartner


async def main() -> None:
    """Print a line for each order."""
    since = datetime.now(UTC) - timedelta(days=7)
    query = {"createdAfter": since.strftime("%Y-%m-%dT%H:%M:%SZ"), "marketplaceIds": ["ATVPDKIKX0DER"]}
    async with SellingPartner(os.environ["SELLERGATE_ACCOUNT_ID"]) as partner:
        try:
            async for page in partner.pages("/orders/2026-01-01/orders", query):
                for order in page.json()["orders"]:
                    print(order["orderId"], order["createdTime"])
        except QuotaExceeded as error:
            raise SystemExit(f"The quota is used up; try again in {error.retry_after} s.") from None
        except SellergateError as error:
            raise SystemExit(f"{error.message} ({error.reason})") from None


asyncio.run(main())
