"""The operator's connection to the account service, and the one-sentence error of a failed command."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from sellergate_cli.terminal import harmless, say

if TYPE_CHECKING:
    from sellergate.account.v1.account_admin_service_pb2_grpc import AccountAdminServiceAsyncStub

StateDir = Annotated[
    Path | None,
    typer.Option(
        "--state-dir",
        help="State directory of a local run; its run.json replaces SELLERGATE_…_TARGET and SELLERGATE_TLS_…_FILE.",
    ),
]
_Result = TypeVar("_Result")
INTERRUPTED = 130


class SentenceError(Exception):
    """A failure of a command. The message is one sentence for the operator and holds no secret."""


def fail(sentence: str, code: int = 1) -> NoReturn:
    """Print a sentence to standard error and exit with a code."""
    say(sentence, err=True)
    raise typer.Exit(code) from None


def _hint(afterwards: str | Callable[[], str]) -> str:
    return afterwards if isinstance(afterwards, str) else afterwards()


def complete(work: Coroutine[Any, Any, _Result], afterwards: str | Callable[[], str] = "") -> _Result:
    """Run `work` and return its result. Print an error with its reason and the hint `afterwards`, and exit with code 1.

    Ctrl-C exits with code 130.
    """
    from sellergate_common.errors import SellergateError  # noqa: PLC0415
    from sellergate_common.settings import SettingsError  # noqa: PLC0415

    try:
        return asyncio.run(work)
    except SellergateError as error:
        fail(f"{harmless(error.message)} ({error.reason}){_hint(afterwards)}")
    except SentenceError as error:
        fail(f"{error}{_hint(afterwards)}")
    except KeyboardInterrupt:
        fail(f"Interrupted.{_hint(afterwards)}", INTERRUPTED)
    except SettingsError as error:
        fail("\n".join(error.problems))


@asynccontextmanager
async def admin_service(state_dir: Path | None) -> AsyncIterator["AccountAdminServiceAsyncStub"]:
    """Open a channel to the account service with the operator's certificate. Raises SettingsError."""
    from sellergate.account.v1 import account_admin_service_pb2 as pb2  # noqa: PLC0415
    from sellergate.account.v1.account_admin_service_pb2_grpc import AccountAdminServiceStub  # noqa: PLC0415
    from sellergate_common.identity.tls import Identity  # noqa: PLC0415
    from sellergate_common.rpc.channel import open_channel  # noqa: PLC0415
    from sellergate_common.settings import SettingsError  # noqa: PLC0415

    from sellergate_cli.settings import operator_settings  # noqa: PLC0415

    settings = operator_settings(state_dir)
    try:
        identity = Identity.read(settings)
    except OSError as error:
        raise SettingsError(
            [f"cannot read the operator's certificate: {error.strerror}; check SELLERGATE_TLS_CERT_FILE and …_KEY_FILE"]
        ) from None
    contracts = [pb2.DESCRIPTOR.services_by_name["AccountAdminService"]]
    async with open_channel(settings.account_target, "account", identity, contracts) as channel:
        yield AccountAdminServiceStub(channel)
