"""Progress bars on standard error if that is a terminal; otherwise a line for each change of status."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from sellergate_client import Progress as Received

from sellergate_cli.terminal import harmless, say


@contextmanager
def counting(name: str, total: int | None) -> Iterator[Callable[[int, int | None], None]]:
    """Show a progress bar; yield a function that sets the completed count and the total."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=total)
        yield lambda done, of: bar.update(task, completed=done, total=total if of is None else of)


@contextmanager
def receiving(name: str, total: int | None = None) -> Iterator[Callable[[Received], None]]:
    """Show the progress of a download; yield a function that updates it."""
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
    )
    if not console.is_terminal:
        yield _lines(name)
        return
    with Progress(*columns, console=console) as bar:
        yield _update_bar(bar, bar.add_task(name, total=total), name)


def _update_bar(bar: Progress, task: TaskID, name: str) -> Callable[[Received], None]:
    def show(progress: Received) -> None:
        bar.update(task, description=_words(name, progress), completed=progress.received)

    return show


def _lines(name: str) -> Callable[[Received], None]:
    """Return a function that prints a line when the status changes."""
    last = ""

    def show(progress: Received) -> None:
        nonlocal last
        words = _words(name, progress)
        if words != last:
            last = words
            say(words, err=True)

    return show


def _words(name: str, progress: Received) -> str:
    return f"{name} {harmless(progress.report_id)} {harmless(progress.status)}".rstrip() if progress.report_id else name
