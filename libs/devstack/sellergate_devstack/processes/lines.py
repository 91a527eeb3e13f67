"""Links and commands to try on a running suite."""

from collections.abc import Callable


def report_lines(edge: str, token: str, account_id: str, marketplace_id: str, report: Callable[[str], None]) -> None:
    """Report the console's link and commands to try."""
    report(f"console     {edge}/#token={token}")
    report("")
    report("Try it in another terminal:")
    report(f"  TOKEN={token}")
    report(f"  ID={account_id}")
    report(f'  curl -H "Authorization: Bearer $TOKEN" "{edge}/api/amazon/test/status?amazonAccountId=$ID"')
    report(
        f'  curl -H "Authorization: Bearer $TOKEN"'
        f' "{edge}/api/amazon/test/orders?amazonAccountId=$ID&marketplaceId={marketplace_id}"'
    )
