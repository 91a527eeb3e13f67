"""`sellergate call … --accounts FILE` and `--all`: the same call for each of many accounts, one JSON document per line."""

import json
import sys
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import typer
from sellergate.account.v1 import account_pb2, account_service_pb2
from sellergate_client import Call, CallOutcome, Sellergate, SellergateError, SpApiResponse
from sellergate_client.rpc.options import CallOptions

from sellergate_cli.operator import complete
from sellergate_cli.progress import counting
from sellergate_cli.suite import account_or_demo, connect
from sellergate_cli.terminal import json_line, json_text_line, say

SOME_FAILED = 3
_RESUME = " The printed lines are complete. Write them to a file and continue with --skip-done FILE."
_HTTP_ERROR = 400
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True)
class Target:
    """What is called: a method and a path, or an operation with the parameters of its path."""

    method: str
    path: str
    path_params: Mapping[str, str]

    @classmethod
    def parse(cls, first: str, path: str, path_params: Mapping[str, str]) -> "Target":
        """Return the target of the command's arguments. Raises BadParameter."""
        if not path and first.upper() in _METHODS:
            raise typer.BadParameter("PATH is missing; give METHOD and PATH, or the name of an operation")
        if path and first.upper() not in _METHODS:
            raise typer.BadParameter(
                f"METHOD must be one of {', '.join(sorted(_METHODS))}, not {first!r}; the name of an operation has no PATH"
            )
        if path and path_params:
            raise typer.BadParameter("--path-param needs an operation in place of METHOD and PATH")
        return cls(first, path, path_params)

    def call(self, account_id: str, seconds: float, options: CallOptions) -> Call:
        """Return the call for an account."""
        given = cast("dict[str, Any]", {**options, "key": account_id, "seconds": seconds})
        if self.path:
            return Call(account_id, self.method, self.path, **given)
        return Call.of_operation(account_id, self.method, self.path_params, **given)

    async def send(
        self, sellergate: Sellergate, account_id: str, seconds: float, options: CallOptions
    ) -> SpApiResponse:
        """Make the call for one account. Raises SellergateError."""
        if self.path:
            return await sellergate.call(account_id, self.method, self.path, seconds=seconds, **options)
        return await sellergate.call_operation(account_id, self.method, self.path_params, seconds=seconds, **options)


@dataclass(frozen=True, slots=True)
class Selection:
    """The accounts to call for: those of a file, all active ones, or one; without those that `skip_done` lists as done."""

    file: str
    every: bool
    account: str
    skip_done: Path | None

    @property
    def is_many(self) -> bool:
        """Whether several accounts may be meant."""
        return bool(self.file) or self.every

    def check(self) -> None:
        """Raise BadParameter for options that exclude each other."""
        if self.file and self.every:
            raise typer.BadParameter("--accounts and --all exclude each other")
        if self.skip_done and not self.is_many:
            raise typer.BadParameter("--skip-done needs --accounts or --all")

    async def ids(self, sellergate: Sellergate, state_dir: Path | None) -> list[str]:
        """Return the account IDs, each once."""
        if self.every:
            active = account_service_pb2.AccountFilter(states=[account_pb2.ACCOUNT_STATE_ACTIVE])
            found = [account.account_id async for account in sellergate.accounts.each("", active)]
        elif self.file:
            found = _ids_of(_lines(self.file))
        else:
            found = [account_or_demo(self.account, state_dir)]
        done = _done(self.skip_done) if self.skip_done else set()
        return [account_id for account_id in dict.fromkeys(found) if account_id not in done]


def call_accounts(
    state_dir: Path | None,
    selection: Selection,
    target: Target,
    seconds: float,
    options: CallOptions,
    concurrency: int,
) -> None:
    """Call for each account and print a line as each call ends. Exits with 3 if some calls failed, and with 1 if all did."""
    if selection.file and selection.file != "-" and not Path(selection.file).is_file():
        raise typer.BadParameter(f"--accounts: there is no file {selection.file}")
    done, failed = complete(_run(state_dir, selection, target, seconds, options, concurrency), _RESUME)
    if failed:
        say(f"{failed} of {done} calls failed; their lines hold the error.", err=True)
        raise typer.Exit(SOME_FAILED if failed < done else 1)


async def _run(
    state_dir: Path | None,
    selection: Selection,
    target: Target,
    seconds: float,
    options: CallOptions,
    concurrency: int,
) -> tuple[int, int]:
    """Return how many calls were made, and how many of them failed."""
    done = failed = 0
    async with connect(state_dir) as sellergate:
        ids = await selection.ids(sellergate, state_dir)
        calls = (target.call(account_id, seconds, options) for account_id in ids)
        with counting("calls", len(ids)) as progress:
            async with aclosing(sellergate.calls(calls, concurrency=concurrency)) as outcomes:
                async for outcome in outcomes:
                    say(_line(outcome))
                    done += 1
                    failed += not _is_success(outcome)
                    progress(done, None)
    return done, failed


def _is_success(outcome: CallOutcome) -> bool:
    return outcome.response is not None and outcome.response.status < _HTTP_ERROR


def _line(outcome: CallOutcome) -> str:
    if outcome.error is not None:
        return json_line({"account_id": outcome.key, "error": _shown(outcome.error)})
    response = outcome.result()
    head = {
        "account_id": outcome.key,
        "status": response.status,
        "operation": response.operation,
        "amazon_request_id": response.amazon_request_id,
    }
    try:
        response.json()
        body = json_text_line(response.text())  # numbers stay as Amazon wrote them
    except ValueError:
        body = json_line(response.body.decode(errors="replace"))
    return f'{json_line(head)[:-1]}, "response": {body}}}'


def _shown(error: SellergateError) -> dict[str, Any]:
    shown = {"reason": error.reason, "code": error.code, "message": error.message, "metadata": error.metadata}
    return shown if error.retry_after is None else {**shown, "retry_after": error.retry_after}


def _lines(file: str) -> list[str]:
    return (sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")).splitlines()


def _ids_of(lines: Iterable[str]) -> list[str]:
    """Return the account IDs of lines: an ID, or a JSON document with `account_id`. Empty lines and those with # count as none."""
    texts = [text for line in lines if (text := line.strip()) and not text.startswith("#")]
    return [str(_document(text).get("account_id", "")) if text.startswith("{") else text for text in texts]


def _done(file: Path) -> set[str]:
    """Return the account IDs of an earlier run's lines whose call succeeded. A line that was cut off counts as none."""
    rows = map(_document, _lines(str(file)))
    return {
        str(row["account_id"]) for row in rows if "account_id" in row and row.get("status", _HTTP_ERROR) < _HTTP_ERROR
    }


def _document(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
