"""The entry points of the console scripts. A missing extra or a wrong argument ends a script with one sentence and exit code 2."""

import importlib
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import NoReturn

from sellergate_common.scripts.extras import DISTRIBUTION, advice, missing_packages

WRONG_USAGE = 2
VERSION_OPTION = "--version"


def sellergate() -> None:
    """Run the command for operators."""
    run("sellergate", "cli", sys.argv[1:], takes_arguments=True)


def account() -> None:
    """Run the account service."""
    run("sellergate-account", "account", sys.argv[1:])


def token() -> None:
    """Run the token service."""
    run("sellergate-token", "token", sys.argv[1:])


def iam() -> None:
    """Run the iam service."""
    run("sellergate-iam", "iam", sys.argv[1:])


def gateway() -> None:
    """Run the gateway."""
    run("sellergate-gateway", "gateway", sys.argv[1:])


def edge() -> None:
    """Run the edge."""
    run("sellergate-edge", "edge", sys.argv[1:])


def simulator() -> None:
    """Run the simulator of Amazon."""
    run("sellergate-simulator", "simulator", sys.argv[1:])


def run(script: str, extra: str, arguments: Sequence[str], *, takes_arguments: bool = False) -> None:
    """Run `main` of the program that the extra is named after. Only `sellergate` takes arguments besides --version."""
    if list(arguments) == [VERSION_OPTION]:
        sys.stdout.write(f"{DISTRIBUTION} {version(DISTRIBUTION)}\n")
        return
    if arguments and not takes_arguments:
        _refuse(
            f"{script} takes no argument except {VERSION_OPTION}, and {arguments[0]} is none. Its settings are environment"
            " variables: docs/configuration.md lists them."
        )
    try:
        # By name, when the script runs: this package is below every program.
        importlib.import_module(f"sellergate_{extra}.__main__").main()
    except ModuleNotFoundError:
        missing = missing_packages(extra)
        if not missing:
            raise
        _refuse(advice(script, extra, missing))


def _refuse(sentence: str) -> NoReturn:
    sys.stderr.write(f"{sentence}\n")
    raise SystemExit(WRONG_USAGE) from None
