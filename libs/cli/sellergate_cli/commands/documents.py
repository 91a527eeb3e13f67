"""`sellergate report` and `sellergate feed`: downloads and uploads. An output file appears under its name once complete."""

import mimetypes
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer
from sellergate_client import Document, Sellergate
from sellergate_client import Progress as Received
from sellergate_client.documents.feeds import FEED_SECONDS, content_type_of

from sellergate_cli.operator import SentenceError, StateDir, complete
from sellergate_cli.options import Account, Time, examples, pairs
from sellergate_cli.progress import receiving
from sellergate_cli.suite import account_or_demo, connect
from sellergate_cli.terminal import harmless, say

_ENDINGS = {"text/plain": ".txt", "text/tab-separated-values": ".tsv", "text/xml": ".xml", "application/xml": ".xml"}
_FAILED = frozenset({"CANCELLED", "FATAL"})

report = typer.Typer(help="Request and download reports.", no_args_is_help=True)
feed = typer.Typer(help="Submit feeds.", no_args_is_help=True)
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", dir_okay=False, help="File to write; by default named after the report or document."
    ),
]
Marketplaces = Annotated[
    list[str] | None,
    typer.Option(
        "--marketplace-id", "-m", help="Amazon's marketplace ID; repeat for several; defaults to the account's."
    ),
]


@report.command(
    epilog=examples(
        "sellergate report run GET_MERCHANT_LISTINGS_ALL_DATA --account ACCOUNT_ID",
        "sellergate report run --resume REPORT_ID --account ACCOUNT_ID",
    )
)
def run(
    report_type: Annotated[
        str, typer.Argument(help="Report type, such as GET_MERCHANT_LISTINGS_ALL_DATA; omit it with --resume.")
    ] = "",
    account: Account = "",
    output: Output = None,
    marketplace_id: Marketplaces = None,
    option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A report option; repeat for several.")
    ] = None,
    start: Time = None,
    end: Time = None,
    resume: Annotated[
        str, typer.Option(metavar="REPORT_ID", help="Continue with a report that was requested before.")
    ] = "",
    seconds: Annotated[float, typer.Option(min=1, help="Deadline in seconds.")] = 3600,
    state_dir: StateDir = None,
) -> None:
    """Request a report, wait until Amazon has generated it, and download it."""
    if not report_type and not resume:
        raise typer.BadParameter("no report is named; give a report type, or --resume with a report ID")
    progress_log = _LastProgress()

    def wanted(sellergate: Sellergate, account_id: str, progress: Callable[[Received], None]) -> Document:
        return sellergate.documents.report(
            account_id,
            report_type,
            marketplace_ids=marketplace_id or (),
            options=dict(pairs(option, "--option")),
            start=_aware(start),
            end=_aware(end),
            resume=resume,
            on_progress=progress_log.also(progress),
            seconds=seconds,
        )

    name = report_type or f"report-{resume}"
    path = complete(_write(state_dir, account, wanted, output, name), progress_log.hint)
    say(str(path))


@report.command()
def download(
    document_id: Annotated[str, typer.Argument(help="Amazon's document ID.")],
    account: Account = "",
    output: Output = None,
    kind: Annotated[str, typer.Option(help="API of the document: REPORT, FEED or DATA_KIOSK.")] = "REPORT",
    state_dir: StateDir = None,
) -> None:
    """Download a document and decompress it."""
    if kind not in ("REPORT", "FEED", "DATA_KIOSK"):
        raise typer.BadParameter(f"--kind {kind!r} is unknown; use REPORT, FEED or DATA_KIOSK")

    def wanted(sellergate: Sellergate, account_id: str, progress: Callable[[Received], None]) -> Document:
        return sellergate.documents.download(account_id, document_id, kind, on_progress=progress)  # type: ignore[arg-type]

    say(str(complete(_write(state_dir, account, wanted, output, document_id), " Nothing was written.")))


_FeedOutput = Annotated[Path | None, typer.Option("--output", "-o", help="File for the processing report.")]
_FeedSeconds = Annotated[float, typer.Option(min=1, help="How long to wait for Amazon.")]


@feed.command(epilog=examples("sellergate feed submit JSON_LISTINGS_FEED listings.json --account ACCOUNT_ID"))
def submit(
    feed_type: Annotated[str, typer.Argument(help="Feed type, such as JSON_LISTINGS_FEED.")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="File to upload.")],
    account: Account = "",
    content_type: Annotated[
        str, typer.Option(help="Content type that Amazon requires; by default from the file's name.")
    ] = "",
    marketplace_id: Annotated[
        list[str] | None,
        typer.Option(
            "--marketplace-id",
            "--marketplace",
            "-m",
            help="Amazon's marketplace ID; repeat for several; defaults to the home one.",
        ),
    ] = None,
    option: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="One of Amazon's feedOptions.")] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until Amazon has processed the feed.")] = True,
    output: _FeedOutput = None,
    seconds: _FeedSeconds = FEED_SECONDS,
    state_dir: StateDir = None,
) -> None:
    """Upload a document, create a feed with it, and wait until Amazon has processed it.

    Exit code 1 if processing does not end with DONE.
    """
    kind = content_type or content_type_of(file)
    options = dict(pairs(option, "--option"))
    feed_id = complete(_submit(state_dir, account, feed_type, file, kind, marketplace_id or [], options))
    say(f"feed {harmless(feed_id)}")
    if wait:
        _process(state_dir, account, feed_id, output, seconds)


@feed.command("wait")
def wait_for(
    feed_id: Annotated[str, typer.Argument(help="Amazon's feed ID.")],
    account: Account = "",
    output: _FeedOutput = None,
    seconds: _FeedSeconds = FEED_SECONDS,
    state_dir: StateDir = None,
) -> None:
    """Wait until Amazon has processed a feed that was submitted before; exit code 1 if processing does not end with DONE."""
    _process(state_dir, account, feed_id, output, seconds)


class _LastProgress:
    """The last known state of a report, for the hint after an interrupted run."""

    def __init__(self) -> None:
        self.report_id = ""
        self.status = ""

    def also(self, progress: Callable[[Received], None]) -> Callable[[Received], None]:
        def record(now: Received) -> None:
            self.report_id, self.status = now.report_id or self.report_id, now.status or self.status
            progress(now)

        return record

    def hint(self) -> str:
        resume = f"sellergate report run --resume {self.report_id}"
        if self.status in _FAILED:
            hint = f" Amazon ended report {self.report_id} as {self.status} without a document. Request a new report."
        elif self.status == "DONE":
            hint = f" The report is complete. Download it with: {resume}"
        else:
            hint = f" Amazon still generates the report. Continue with: {resume}" if self.report_id else ""
        return f" Nothing was written.{hint}"


async def _write(
    state_dir: Path | None,
    account: str,
    wanted: Callable[[Sellergate, str, Callable[[Received], None]], Document],
    output: Path | None,
    name: str,
) -> Path:
    """Write a document to `output`, or to a file named `name` with the suffix of the content type; return its path."""
    account_id = account_or_demo(account, state_dir)
    path = output or Path(name)
    async with connect(state_dir) as sellergate:
        with receiving(name) as progress:
            document = wanted(sellergate, account_id, progress)
            try:
                await document.save(path)
            except OSError as error:
                raise SentenceError(
                    f"Cannot write {path}: {error.strerror}. Name another file with --output."
                ) from None
    return path if output else path.replace(Path(name + _ending(document.content_type)))


async def _submit(
    state_dir: Path | None,
    account: str,
    feed_type: str,
    file: Path,
    content_type: str,
    marketplace_ids: list[str],
    options: dict[str, str],
) -> str:
    """Upload a file and create a feed with it; return the feed ID."""
    account_id = account_or_demo(account, state_dir)
    async with connect(state_dir) as sellergate:
        with receiving(file.name) as progress:
            return await sellergate.feeds.submit(
                account_id,
                feed_type,
                file,
                content_type,
                marketplace_ids=marketplace_ids,
                options=options,
                on_progress=progress,
            )


def _process(state_dir: Path | None, account: str, feed_id: str, output: Path | None, seconds: float) -> None:
    """Wait until Amazon has processed a feed and print its status; exit with code 1 unless that is DONE."""
    how = f" Continue with: sellergate feed wait {harmless(feed_id)}"
    if complete(_wait(state_dir, account, feed_id, output, seconds), how) != "DONE":
        raise typer.Exit(1)


async def _wait(state_dir: Path | None, account: str, feed_id: str, output: Path | None, seconds: float) -> str:
    """Wait until Amazon has processed a feed and write its processing report; return the status."""
    account_id = account_or_demo(account, state_dir)
    async with connect(state_dir) as sellergate:
        with receiving(f"feed {harmless(feed_id)}") as progress:
            feed = await sellergate.feeds.wait(account_id, feed_id, seconds=seconds, on_progress=progress)
        say(f"status {harmless(feed.status)}")
        if feed.result_document_id:
            path = output or Path(f"feed-{quote(feed_id, safe='')}-result.json")
            await sellergate.feeds.result(account_id, feed).save(path)
            say(str(path))
    return feed.status


def _ending(content_type: str) -> str:
    kind = content_type.partition(";")[0].strip().lower()
    return _ENDINGS.get(kind) or mimetypes.guess_extension(kind) or ".txt"


def _aware(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=UTC) if time and time.tzinfo is None else time
