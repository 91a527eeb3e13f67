"""`sellergate call`, `pages`, `quota` and `operations search`: SP-API from the command line."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from sellergate_client import SpApiResponse
from sellergate_client.calls import DEFAULT_CONCURRENCY, MOST_CONCURRENCY
from sellergate_client.rpc.options import CallOptions
from sellergate_client.rpc.requests import call_request

from sellergate_cli.commands.call_accounts import Selection, Target, call_accounts
from sellergate_cli.completion import complete_operation
from sellergate_cli.operator import StateDir, complete
from sellergate_cli.options import Account, Json, Parameters, examples, pairs
from sellergate_cli.output import document, print_rows
from sellergate_cli.suite import account_or_demo, connect
from sellergate_cli.terminal import harmless, json_text_line, say

operations = typer.Typer(help="Search the catalogue of SP-API operations.", no_args_is_help=True)
CALL_EXAMPLES = examples(
    "sellergate call GET /sellers/v1/marketplaceParticipations --account ACCOUNT_ID",
    "sellergate call GET /orders/2026-01-01/orders -a ACCOUNT_ID -p createdAfter=2026-11-16T00:00:00Z",
    "sellergate call POST /feeds/2021-06-30/documents -a ACCOUNT_ID -d @document.json",
    "sellergate call getMarketplaceParticipations --all --jsonl > results.jsonl",
)
ApiPath = Annotated[
    str, typer.Argument(metavar="PATH", help="Percent-encoded path, such as /orders/2026-01-01/orders.")
]
_Header = Annotated[
    list[str] | None, typer.Option("--header", "-H", metavar="NAME=VALUE", help="A request header; repeat for several.")
]
_Sandbox = Annotated[
    bool | None, typer.Option("--sandbox/--production", help="Amazon's environment; defaults to the account's.")
]
_OPERATION_COLUMNS = ("name", "method", "path", "rate", "burst", "restricted", "grantless_scope", "removal_date")
_HTTP_ERROR = 400


def call(
    method: Annotated[
        str,
        typer.Argument(
            metavar="METHOD|OPERATION",
            help="GET, POST, PUT, PATCH or DELETE; or an operation's name.",
            autocompletion=complete_operation,
        ),
    ],
    path: Annotated[
        str,
        typer.Argument(metavar="PATH", help="With METHOD: percent-encoded path, such as /orders/2026-01-01/orders."),
    ] = "",
    account: Account = "",
    accounts: Annotated[
        str,
        typer.Option(
            metavar="FILE", help="Call for each account of a file: an account ID per line; - reads standard input."
        ),
    ] = "",
    every: Annotated[bool, typer.Option("--all", help="Call for each active account.")] = False,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Print one JSON document per account; implied by --accounts and --all.")
    ] = False,
    concurrency: Annotated[
        int, typer.Option(min=1, max=MOST_CONCURRENCY, help="Calls in progress at once, with --accounts or --all.")
    ] = DEFAULT_CONCURRENCY,
    skip_done: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Output of an earlier run: skip the accounts whose call succeeded in it."
        ),
    ] = None,
    path_param: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="With OPERATION: a parameter of its path; repeat for several."),
    ] = None,
    param: Parameters = None,
    data: Annotated[str, typer.Option("--data", "-d", help="JSON body; @FILE reads a file, @- standard input.")] = "",
    header: _Header = None,
    data_element: Annotated[
        list[str] | None,
        typer.Option(
            help="Personal data to request from Orders v0: buyerInfo, shippingAddress, …; repeat for several."
        ),
    ] = None,
    include: Annotated[
        bool, typer.Option("--include", "-i", help="Print status and headers to standard error.")
    ] = False,
    as_is: Annotated[
        bool, typer.Option("--as-is", help="Print Amazon's error responses unchanged; exit code 1.")
    ] = False,
    token_kind: Annotated[
        str, typer.Option(metavar="seller|grantless", help="Token to use where Amazon accepts both kinds.")
    ] = "",
    sandbox: _Sandbox = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="Deadline in seconds.")] = 30,
    state_dir: StateDir = None,
) -> None:
    """Make one SP-API call and print the response body, or make it for many accounts.

    Many accounts: each line has `account_id` and `response`, or `error`, as soon as the call has ended. Exit codes: 0 all calls
    succeeded, 3 some failed, 1 all failed, 2 wrong usage.
    """
    target = Target.parse(method, path, dict(pairs(path_param, "--path-param")))
    selection = Selection(accounts, every, account, skip_done)
    selection.check()
    options: CallOptions = {
        "query": pairs(param, "--param"),
        "headers": pairs(header, "--header"),
        "data_elements": data_element or (),
        "as_is": as_is,
        "sandbox": sandbox,
        "token_kind": token_kind,
    }
    if data:
        options["body"], options["content_type"] = _body(data), "application/json"
    if selection.is_many or jsonl:
        call_accounts(state_dir, selection, target, seconds, options, concurrency)
        return
    response = complete(_call(state_dir, account, target, seconds, options))
    if include:
        say(f"{response.status} {response.operation}", err=True)
        for name, value in response.headers:
            say(f"{harmless(name)}: {harmless(value)}", err=True)
    if sys.stdout.isatty():
        say(response.body.decode(errors="replace").rstrip("\n"))
    else:
        sys.stdout.buffer.write(response.body)
    if response.status >= _HTTP_ERROR:
        raise typer.Exit(1)


def pages(
    path: ApiPath,
    account: Account = "",
    param: Parameters = None,
    max_pages: Annotated[int, typer.Option(min=0, help="Maximum number of pages; 0 reads all.")] = 0,
    sandbox: _Sandbox = None,
    state_dir: StateDir = None,
) -> None:
    """Read all pages of a list within its quota; print one JSON document per line."""
    complete(_page(state_dir, account, path, {"query": pairs(param, "--param"), "sandbox": sandbox}, max_pages))


def quota(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="OPERATION...",
            help="Operation names, or operation IDs that only one API has.",
            autocompletion=complete_operation,
        ),
    ],
    account: Account = "",
    sandbox: _Sandbox = None,
    as_json: Json = False,
    state_dir: StateDir = None,
) -> None:
    """Show the remaining quota of an account for operations (rate in calls per second)."""
    found = complete(_quotas(state_dir, account, names, sandbox))
    columns = ("operation", "remaining", "burst", "rate", "source", "reset_time")
    print_rows(found, columns, as_json=as_json)


@operations.command()
def search(
    text: Annotated[str, typer.Argument(help="Part of a name, method or path; case is ignored.")] = "",
    as_json: Json = False,
    state_dir: StateDir = None,
) -> None:
    """List operations with their rates in calls per second; 0 means that Amazon publishes none."""
    print_rows(complete(_search(state_dir, text)), _OPERATION_COLUMNS, as_json=as_json)


def _body(text: str) -> bytes:
    if text == "@-":
        return sys.stdin.buffer.read()
    if text.startswith("@"):
        try:
            return Path(text[1:]).read_bytes()
        except OSError as error:
            raise typer.BadParameter(f"--data: cannot read {text[1:]}: {error.strerror}") from None
    return text.encode()


async def _call(
    state_dir: Path | None, account: str, target: Target, seconds: float, options: CallOptions
) -> SpApiResponse:
    account = account_or_demo(account, state_dir)
    async with connect(state_dir) as sellergate:
        return await target.send(sellergate, account, seconds, options)


async def _page(state_dir: Path | None, account: str, path: str, options: CallOptions, max_pages: int) -> None:
    account = account_or_demo(account, state_dir)
    async with connect(state_dir) as sellergate:
        request = call_request(account, "GET", path, options)
        async for page in sellergate.documents.pages(request, max_pages=max_pages):
            page.json()  # raises for a page that is not JSON
            say(json_text_line(page.text()))


async def _quotas(state_dir: Path | None, account: str, names: list[str], sandbox: bool | None) -> list[dict[str, Any]]:
    account = account_or_demo(account, state_dir)
    async with connect(state_dir) as sellergate:
        found = await sellergate.catalogue.quotas(account, names, sandbox=sandbox)
    return [{name: getattr(one, name) for name in type(one).__dataclass_fields__} for one in found]


async def _search(state_dir: Path | None, text: str) -> list[dict[str, Any]]:
    async with connect(state_dir) as sellergate:
        return [document(operation) async for operation in sellergate.catalogue.search(text)]
