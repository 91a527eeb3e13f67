"""`sellergate accounts`: connected sellers."""

import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from sellergate.account.v1 import account_pb2, account_service_pb2
from sellergate.gateway.v1 import gateway_service_pb2
from sellergate.token.v1 import token_service_pb2
from sellergate_common.rpc.channel import invoke
from sellergate_common.rpc.timestamps import from_datetime

from sellergate_cli.completion import complete_account
from sellergate_cli.operator import StateDir, complete
from sellergate_cli.options import TIME_FORMATS, Json, examples, from_environment, in_utc, pairs, secret
from sellergate_cli.output import document, print_fields, print_rows
from sellergate_cli.suite import account_or_demo, connect, token_service
from sellergate_cli.terminal import say

_COLUMNS = (
    "account_id",
    "user_id",
    "amazon_seller_id",
    "marketplace",
    "state",
    "authorization_expire_time",
    "external_ref",
)
_REFRESH_TOKEN, _CLIENT_SECRET = "SELLERGATE_REFRESH_TOKEN", "SELLERGATE_LWA_CLIENT_SECRET"

_STILL_REVOKED = "Amazon refused the seller's authorization; the account stays revoked. Let the seller authorize again."

app = typer.Typer(help="Connect, list, check and remove accounts (connected sellers).", no_args_is_help=True)
AccountId = Annotated[str, typer.Argument(help="Account ID.", autocompletion=complete_account)]
Labels = Annotated[
    list[str] | None, typer.Option("--label", metavar="KEY=VALUE", help="A label of yours; repeat for several.")
]


@app.command(
    epilog=examples(
        "sellergate accounts add --user user-17 --seller A1B2C3D4E5F6G7 --application APPLICATION_ID",
        "SELLERGATE_REFRESH_TOKEN=@token.txt sellergate accounts add --user user-17 --seller A1B2C3D4E5F6G7"
        " --marketplace DE --application APPLICATION_ID",
    )
)
def add(
    user: Annotated[str, typer.Option(help="ID of the user that owns the account.")],
    seller: Annotated[str, typer.Option(help="Amazon's seller ID (merchant token).")],
    marketplace: Annotated[str, typer.Option(help="Marketplace code, such as US or DE.")] = "US",
    application: Annotated[str, typer.Option(help="ID of a stored application; alternatively give --client-id.")] = "",
    client_id: Annotated[str, typer.Option(help="LWA client ID; its application is created if necessary.")] = "",
    client_secret: Annotated[str, from_environment(_CLIENT_SECRET)] = "",
    refresh_token: Annotated[str, from_environment(_REFRESH_TOKEN)] = "",
    role: Annotated[
        str, typer.Option(help="ARN of an IAM role, for applications that still sign requests (SigV4).")
    ] = "",
    marketplace_id: Annotated[
        list[str] | None, typer.Option(help="Amazon's marketplace ID; repeat for several.")
    ] = None,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Send the account's calls to Amazon's sandbox.")] = False,
    region: Annotated[
        str, typer.Option(help="AWS region of STS, for accounts with a role; defaults to us-east-1.")
    ] = "",
    expires: Annotated[
        datetime | None,
        typer.Option(formats=TIME_FORMATS, help="When the seller's consent ends (UTC), as Seller Central shows it."),
    ] = None,
    external_ref: Annotated[str, typer.Option(help="Your own reference of the account, unique per user.")] = "",
    label: Labels = None,
    as_json: Json = False,
    state_dir: StateDir = None,
) -> None:
    """Connect a seller, or update its credentials.

    The refresh token is read from SELLERGATE_REFRESH_TOKEN and the client secret from SELLERGATE_LWA_CLIENT_SECRET; otherwise
    the command prompts for them. In both variables @FILE names a file and @- is standard input.
    """
    given = secret(_REFRESH_TOKEN, refresh_token, "the seller's refresh token")
    client = secret(_CLIENT_SECRET, client_secret, "the LWA client secret") if client_id else None
    request = account_service_pb2.UpsertAccountRequest(
        user_id=user,
        amazon_seller_id=seller,
        marketplace=marketplace,
        application_id=application,
        lwa_client_id=client_id,
        lwa_client_secret=client.get_secret_value() if client else "",
        refresh_token=given.get_secret_value(),
        iam_role_arn=role,
        marketplace_ids=marketplace_id or (),
        sandbox=sandbox or None,
        region=region,
        authorization_expire_time=from_datetime(in_utc(expires)),
        external_ref=external_ref,
        labels=dict(pairs(label, "--label")),
    )
    account, created = complete(_store(state_dir, request))
    say("Connected the seller." if created else "Updated the credentials of a connected seller.", err=True)
    if account.state == account_pb2.ACCOUNT_STATE_AUTHORIZATION_REVOKED:
        how_to = f"sellergate accounts verify {account.account_id}"
        say(f"Amazon refused this refresh token before. Run `{how_to}` to try it again, or give a new one.", err=True)
    print_fields(document(account), as_json=as_json)


@app.command(
    "list",
    epilog=examples(
        "sellergate accounts list --state ACTIVE --label tier=gold",
        "sellergate accounts list --seller-id A1B2C3D4E5F6G7",
    ),
)
def list_accounts(
    user: Annotated[str, typer.Option(help="List only this user's accounts.")] = "",
    state: Annotated[
        str, typer.Option(help="List only accounts in this state: ACTIVE, INACTIVE or AUTHORIZATION_REVOKED.")
    ] = "",
    seller_id: Annotated[str, typer.Option(help="List only accounts of this seller (Amazon's ID).")] = "",
    external_ref: Annotated[str, typer.Option(help="List only accounts with this reference of yours.")] = "",
    label: Labels = None,
    expires_before: Annotated[
        datetime | None,
        typer.Option(
            formats=TIME_FORMATS, help="List only accounts whose authorization is known to end before this time (UTC)."
        ),
    ] = None,
    as_json: Json = False,
    state_dir: StateDir = None,
) -> None:
    """List accounts, oldest first; only those that match all options."""
    if state and f"ACCOUNT_STATE_{state.upper()}" not in account_pb2.AccountState.keys():  # noqa: SIM118  (no mapping)
        raise typer.BadParameter(f"--state {state!r} is unknown; use ACTIVE, INACTIVE or AUTHORIZATION_REVOKED")
    narrowed = account_service_pb2.AccountFilter(
        states=[account_pb2.AccountState.Value(f"ACCOUNT_STATE_{state.upper()}")] if state else [],
        amazon_seller_id=seller_id,
        external_ref=external_ref,
        labels=dict(pairs(label, "--label")),
        authorization_expire_before=from_datetime(in_utc(expires_before)),
    )
    print_rows(complete(_list(state_dir, user, narrowed)), _COLUMNS, as_json=as_json)


@app.command()
def show(account_id: AccountId, as_json: Json = False, state_dir: StateDir = None) -> None:
    """Show an account, without its secrets."""
    print_fields(document(complete(_get(state_dir, account_id))), as_json=as_json)


@app.command()
def remove(
    account_id: AccountId,
    hard: Annotated[
        bool, typer.Option("--hard", help="Delete the account and its secrets permanently; the audit log is kept.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Skip the confirmation.")] = False,
    state_dir: StateDir = None,
) -> None:
    """Deactivate an account, or delete it with --hard."""
    if hard and not yes:
        typer.confirm(f"Delete {account_id} and its secrets permanently?", abort=True, err=True)
    complete(_remove(state_dir, account_id, hard))
    how_to = f"sellergate accounts undelete {account_id}"
    say("Deleted the account." if hard else f"The account is inactive. Run `{how_to}` to make it active again.")


@app.command()
def undelete(account_id: AccountId, as_json: Json = False, state_dir: StateDir = None) -> None:
    """Make a deactivated account active again. An account that was deleted with --hard cannot be restored."""
    account = complete(_undelete(state_dir, account_id))
    say(
        "The account is active again." if account.state == account_pb2.ACCOUNT_STATE_ACTIVE else _STILL_REVOKED,
        err=True,
    )
    print_fields(document(account), as_json=as_json)


@app.command()
def check(
    account_id: Annotated[
        str,
        typer.Argument(
            help="Account ID; defaults to the demo account of a local run.", autocompletion=complete_account
        ),
    ] = "",
    with_call: Annotated[
        bool, typer.Option("--with-call/--no-call", help="Also make one SP-API call, which uses quota.")
    ] = True,
    exchange: Annotated[
        bool, typer.Option("--exchange/--no-exchange", help="Exchange the refresh token (at most once in 60 s).")
    ] = True,
    as_json: Json = False,
    state_dir: StateDir = None,
) -> None:
    """Check an account stage by stage: stored, token, role, call.

    CACHED means that an earlier result is shown; `age` is its age in seconds. Exit code 1 if a stage fails.
    """
    _print_stages(complete(_check(state_dir, account_id, exchange, with_call)), as_json=as_json)


@app.command()
def verify(
    account_id: AccountId,
    with_call: Annotated[
        bool, typer.Option("--with-call", help="Also make one SP-API call, which uses quota.")
    ] = False,
    as_json: Json = False,
    state_dir: StateDir = None,
) -> None:
    """Exchange the stored refresh token with Amazon now (at most once in 60 s).

    A revoked account whose refresh token Amazon accepts becomes active again.
    """
    _print_stages(complete(_verify(state_dir, account_id, with_call)), as_json=as_json)


def _print_stages(stages: list[dict[str, Any]], *, as_json: bool) -> None:
    print_rows(stages, ("stage", "outcome", "ms", "age", "reason"), as_json=as_json)
    if any(stage["outcome"] == "FAILED" for stage in stages):
        raise typer.Exit(1)


async def _store(
    state_dir: Path | None, request: account_service_pb2.UpsertAccountRequest
) -> tuple[account_pb2.Account, bool]:
    async with connect(state_dir) as sellergate:
        return await sellergate.accounts.upsert(request)


async def _list(state_dir: Path | None, user: str, narrowed: account_service_pb2.AccountFilter) -> list[dict[str, Any]]:
    async with connect(state_dir) as sellergate:
        return [_shown(account) async for account in sellergate.accounts.each(user, narrowed)]


def _shown(account: account_pb2.Account) -> dict[str, Any]:
    row = document(account)
    return {**row, "state": row["state"].removeprefix("ACCOUNT_STATE_")}


async def _get(state_dir: Path | None, account_id: str) -> account_pb2.Account:
    async with connect(state_dir) as sellergate:
        return await sellergate.accounts.get(account_id)


async def _remove(state_dir: Path | None, account_id: str, hard: bool) -> None:
    async with connect(state_dir) as sellergate:
        if hard:
            await sellergate.accounts.hard_delete(account_id)
        else:
            await sellergate.accounts.delete(account_id)


async def _undelete(state_dir: Path | None, account_id: str) -> account_pb2.Account:
    async with connect(state_dir) as sellergate:
        return await sellergate.accounts.undelete(account_id)


async def _verify(state_dir: Path | None, account_id: str, with_call: bool) -> list[dict[str, Any]]:
    began = time.monotonic()
    async with token_service(state_dir) as tokens:
        request = token_service_pb2.VerifyAccountRequest(account_id=account_id)
        found = await invoke(tokens.VerifyAccount, request, dependency="token")
    row: dict[str, Any] = {"stage": "token", "outcome": "OK", "ms": round((time.monotonic() - began) * 1000, 1)}
    row |= {"age": "", "reason": "the account is active again" if found.restored else ""}
    if not found.exchanged:
        age = round(found.age.ToMilliseconds() / 1000)
        row |= {"outcome": "CACHED", "age": age, "reason": "the account was verified less than 60 s ago"}
    if not with_call:
        return [row]
    checked = await _check(state_dir, account_id, False, True)
    return [row, *(stage for stage in checked if stage["stage"] in ("role", "call") or stage["outcome"] == "FAILED")]


async def _check(state_dir: Path | None, account_id: str, exchange: bool, with_call: bool) -> list[dict[str, Any]]:
    account_id = account_or_demo(account_id, state_dir)
    async with connect(state_dir) as sellergate:
        checked = await sellergate.check_account(account_id, exchange=exchange, with_call=with_call)
    return [
        {
            "stage": stage.name,
            "outcome": gateway_service_pb2.CheckOutcome.Name(stage.outcome).removeprefix("CHECK_OUTCOME_"),
            "ms": round(stage.duration.ToMicroseconds() / 1000, 1),
            "age": round(stage.age.ToMilliseconds() / 1000) if stage.HasField("age") else "",
            "reason": stage.reason,
        }
        for stage in checked.stages
    ]
