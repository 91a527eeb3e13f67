"""What is stored: migrations, secrets and authorizations that end, sellers who are lost, roles without an external id."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sellergate.account.v1 import account_pb2, application_pb2
from sellergate_common.errors import SellergateError

from sellergate_cli.doctor.finding import Finding
from sellergate_cli.suite import connect

SOON = timedelta(days=30)
_MOST_SHOWN = 5


async def examine(state_dir: Path | None) -> list[Finding]:
    """Read all accounts and applications, which a database of another version would not give."""
    async with connect(state_dir) as sellergate:
        try:
            accounts = [account async for account in sellergate.accounts.each()]
            applications = [application async for application in sellergate.applications.each()]
        except SellergateError as error:
            how_to = "run the account service with SELLERGATE_DATABASE_MIGRATE=on once, or see its log"
            return [
                Finding("migrations", "FAILED", f"accounts cannot be read: {error.message} ({error.reason}); {how_to}")
            ]
    count = f"{len(accounts)} accounts and {len(applications)} applications can be read"
    return [Finding("migrations", "OK", count), *_of_accounts(accounts), *_of_applications(applications)]


def _of_accounts(accounts: list[account_pb2.Account]) -> Iterator[Finding]:
    before = datetime.now(UTC) + SOON
    bare = [one for one in accounts if one.iam_role_arn and one.role_without_external_id]
    lost = [one for one in accounts if one.state == account_pb2.ACCOUNT_STATE_AUTHORIZATION_REVOKED]
    ending = [
        one
        for one in accounts
        if one.state == account_pb2.ACCOUNT_STATE_ACTIVE
        and one.HasField("authorization_expire_time")
        and one.authorization_expire_time.ToDatetime(tzinfo=UTC) < before
    ]
    yield _list("roles without external id", bare, "give their trust policies sts:ExternalId, then clear the flag")
    yield _list("authorizations that were revoked", lost, "let these sellers authorize again")
    yield _list(f"authorizations that end within {SOON.days} days", ending, "let these sellers authorize again")


def _of_applications(applications: list[application_pb2.Application]) -> Iterator[Finding]:
    before = datetime.now(UTC) + SOON
    ending = [
        one.application_id
        for one in applications
        if one.HasField("secret_expire_time") and one.secret_expire_time.ToDatetime(tzinfo=UTC) < before
    ]
    yield _finding(f"client secrets that end within {SOON.days} days", ending, "sellergate secrets rotate")


def _list(check: str, accounts: list[account_pb2.Account], what_to_do: str) -> Finding:
    return _finding(check, [account.account_id for account in accounts], what_to_do)


def _finding(check: str, ids: list[str], what_to_do: str) -> Finding:
    if not ids:
        return Finding(check, "OK", "none")
    more = f" and {len(ids) - _MOST_SHOWN} more" if len(ids) > _MOST_SHOWN else ""
    return Finding(check, "WARNING", f"{', '.join(ids[:_MOST_SHOWN])}{more}: {what_to_do}")
