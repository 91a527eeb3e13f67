"""`sellergate capture`: a live view of an account's calls to one operation, with responses and without secrets."""

import re
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.duration_pb2 import Duration
from sellergate.gateway.v1 import call_pb2
from sellergate.gateway.v1 import capture_service_pb2 as pb2
from sellergate_common.rpc.channel import invoke_stream

from sellergate_cli.completion import complete_operation
from sellergate_cli.operator import StateDir, complete
from sellergate_cli.options import Account, Json, examples
from sellergate_cli.output import document, print_json
from sellergate_cli.suite import account_or_demo, capture_service
from sellergate_cli.terminal import harmless, say

_SPAN = re.compile(r"(\d{1,6})(s|m|h)")
_SHORTEST, _LONGEST = timedelta(seconds=1), timedelta(minutes=30)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}
# The gateway ends the capture; this bounds the wait for a gateway that does not.
_MORE_SECONDS = 30.0

CAPTURE_EXAMPLES = examples("sellergate capture -o getPricing -a ACCOUNT_ID --for 10m")


def _span(text: str) -> timedelta:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is not a duration; give a number with a unit: 90s, 10m")
    span = timedelta(**{_UNITS[found[2]]: int(found[1])})
    if not _SHORTEST <= span <= _LONGEST:
        raise typer.BadParameter(f"{text!r} must be from 1s to 30m; begin another capture for a longer time")
    return span


def capture(
    operation: Annotated[
        str,
        typer.Option(
            "--operation",
            "-o",
            help="Operation name, or an operation ID that only one API has.",
            autocompletion=complete_operation,
        ),
    ],
    account: Account = "",
    span: Annotated[
        timedelta,
        typer.Option("--for", metavar="TIME", parser=_span, help="Duration, at most 30m: 90s, 10m."),
    ] = "10m",  # type: ignore[assignment]
    as_json: Json = False,
    state_dir: StateDir = None,
) -> None:
    """Show an account's requests to Amazon and the responses while they happen.

    Only allow-listed headers and the first 4 KiB of bodies are shown, with secrets redacted; bodies with personal data, tokens or
    documents are hidden. The capture is recorded in the account's audit log.
    """
    complete(_capture(state_dir, account, operation, span, as_json=as_json))


async def _capture(state_dir: Path | None, account: str, operation: str, span: timedelta, *, as_json: bool) -> None:
    duration = Duration()
    duration.FromTimedelta(span)
    account = account_or_demo(account, state_dir)
    request = pb2.CaptureRequest(account_id=account, operation=operation, duration=duration)
    async with capture_service(state_dir) as service:
        seconds = span.total_seconds() + _MORE_SECONDS
        async for part in invoke_stream(service.Capture, request, dependency="gateway", seconds=seconds):
            if part.HasField("beginning"):
                _print_start(account, part.beginning)
            elif as_json:
                print_json(document(part.exchange))
            else:
                _print(part.exchange)


def _print_start(account: str, beginning: pb2.CaptureBeginning) -> None:
    until = beginning.expire_time.ToDatetime().strftime("%H:%M:%S")
    bodies = "" if beginning.with_bodies else " Bodies of this operation are hidden."
    say(f"Capturing {beginning.operation} of {account} until {until} UTC. Ctrl-C ends it.{bodies}", err=True)


def _print(exchange: pb2.CapturedExchange) -> None:
    moment = exchange.start_time.ToDatetime().strftime("%H:%M:%S.%f")[:-3]
    query = f" ?{harmless('&'.join(exchange.query_names))}" if exchange.query_names else ""
    ended = str(exchange.http_status) if exchange.http_status else harmless(exchange.failure)
    took = exchange.duration.ToMilliseconds()
    say(f"{moment} {exchange.method} {exchange.path}{query} · {ended} · {took} ms · request {exchange.request_id}")
    _print_half(">", exchange.request_headers, exchange.request_body)
    _print_half("<", exchange.response_headers, exchange.response_body)


def _print_half(mark: str, headers: Iterable[call_pb2.Header], body: str) -> None:
    for header in headers:
        say(f"  {mark} {harmless(header.name)}: {harmless(header.value)}")
    if body:
        say(f"  {mark} {harmless(body)}")
