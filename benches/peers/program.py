"""What every program of a peer does: read its input, make calls for a while, and print its measurement.

The input is a JSON object on standard input, the output one on standard output. A program whose library is missing prints which.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from benches.measuring import measurement_of, repeated, sample

WARM_UP_SECONDS = 1.0
ITEM, MARKETPLACE = "B01", "ATVPDKIKX0DER"


def given() -> dict[str, Any]:
    """Return the input: addresses, credentials, seconds, callers, and the processes that serve the calls."""
    found: dict[str, Any] = json.load(sys.stdin)
    return found


def run(call: Callable[[], object], settings: dict[str, Any]) -> None:
    """Measure a call that blocks, made by one thread."""

    async def made() -> None:
        call()

    asyncio.run(run_async(made, settings, 1))


async def run_async(call: Callable[[], Awaitable[object]], settings: dict[str, Any], callers: int) -> None:
    """Measure a call that is awaited, made by several callers."""
    await sample(repeated(call, WARM_UP_SECONDS), {}, callers)
    found = measurement_of([await sample(repeated(call, settings["seconds"]), settings["pids"], callers)])
    print(json.dumps(asdict(found)))


def missing(library: str) -> None:
    """Report that a library is not installed, and end."""
    print(json.dumps({"missing": library}))
    sys.exit(0)
