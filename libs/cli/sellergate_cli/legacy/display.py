"""The progress bar of an import, and its report file."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sellergate_cli.operator import SentenceError


@contextmanager
def progress(name: str, rows: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on standard error if that is a terminal; yield a function that advances it by a count."""
    from sellergate_cli.progress import counting  # noqa: PLC0415

    done = 0

    def moved(count: int) -> None:
        nonlocal done
        done += count
        shown(done, None)

    with counting(name, rows) as shown:
        yield moved


@contextmanager
def report_file(path: Path | None, *, dry_run: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Replace the report file, readable only by its owner; yield a function that writes a line. Raises SentenceError."""
    if path is None:
        yield lambda _: None
        return
    try:
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        raise SentenceError(
            f"Cannot write the report {path}: {error.strerror}. Name another file with --report."
        ) from None

    def write(note: dict[str, Any]) -> None:
        file.write(json.dumps({"dry_run": dry_run, **note}) + "\n")

    with file:
        yield write
