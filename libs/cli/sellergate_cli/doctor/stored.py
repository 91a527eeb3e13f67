"""Checks of stored data: migrations, expiring secrets and authorizations, revoked sellers, roles without external ID."""

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
    """Read and check all accounts and applications; the read fails on a database of another schema version."""
    async with connect(state_dir) as sellergate:
        try:
            accounts = [account async for account in sellergate.accounts.each()]
            applications = [application async for application in sellergate.applications.each()]
        except SellergateError as error:
            how_to = "start the account service with SELLERGATE_DATABASE_MIGRATE=on once, or read its log"
            return [
                Finding("migrations", "FAILED", f"cannot read accounts: {error.message} ({error.reason}); {how_to}")
            ]
    count = f"{len(accounts)} accounts and {len(applications)} applications are readable"
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
    yield _list("roles without external ID", bare, "add sts:ExternalId to their trust policies, then clear the flag")
    yield _list("revoked authorizations", lost, "ask these sellers to authorize again")
    yield _list(f"authorizations expiring within {SOON.days} days", ending, "ask these sellers to authorize again")


def _of_applications(applications: list[application_pb2.Application]) -> Iterator[Finding]:
    before = datetime.now(UTC) + SOON
    ending = [
        one.application_id
        for one in applications
        if one.HasField("secret_expire_time") and one.secret_expire_time.ToDatetime(tzinfo=UTC) < before
    ]
    yield _finding(f"client secrets expiring within {SOON.days} days", ending, "run sellergate secrets rotate")


def _list(check: str, accounts: list[account_pb2.Account], what_to_do: str) -> Finding:
    return _finding(check, [account.account_id for account in accounts], what_to_do)


def _finding(check: str, ids: list[str], what_to_do: str) -> Finding:
    if not ids:
        return Finding(check, "OK", "none")
    more = f" and {len(ids) - _MOST_SHOWN} more" if len(ids) > _MOST_SHOWN else ""
    return Finding(check, "WARNING", f"{', '.join(ids[:_MOST_SHOWN])}{more}: {what_to_do}")
