"""What to open and what to type, once a suite is up."""

from collections.abc import Callable


def tell_lines(edge: str, token: str, account_id: str, marketplace_id: str, tell: Callable[[str], None]) -> None:
    """Tell what to open and what to type."""
    tell(f"console     {edge}/#token={token}")
    tell("")
    tell("Try it in another terminal:")
    tell(f"  TOKEN={token}")
    tell(f"  ID={account_id}")
    tell(f'  curl -H "Authorization: Bearer $TOKEN" "{edge}/api/amazon/test/status?amazonAccountId=$ID"')
    tell(
        f'  curl -H "Authorization: Bearer $TOKEN"'
        f' "{edge}/api/amazon/test/orders?amazonAccountId=$ID&marketplaceId={marketplace_id}"'
    )
