"""`sellergate report` and `sellergate feed`: downloads and uploads. A file gets its name once it is complete."""

import asyncio
import mimetypes
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sellergate_client import Document, Sellergate
from sellergate_client import Progress as Received

from sellergate_cli.operator import SentenceError, StateDir, complete
from sellergate_cli.options import Account, Time, examples, pairs
from sellergate_cli.progress import receiving
from sellergate_cli.suite import account_or_demo, connect
from sellergate_cli.terminal import harmless, say

_ENDINGS = {"text/plain": ".txt", "text/tab-separated-values": ".tsv", "text/xml": ".xml", "application/xml": ".xml"}
_FEED_SECONDS = 1800.0
_FEED_PAUSE = 1.0
_FAILED = frozenset({"CANCELLED", "FATAL"})
_FEED_ENDS = frozenset({"DONE", *_FAILED})

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


@feed.command(epilog=examples("sellergate feed submit JSON_LISTINGS_FEED listings.json --account ACCOUNT_ID"))
def submit(
    feed_type: Annotated[str, typer.Argument(help="Feed type, such as JSON_LISTINGS_FEED.")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="File to upload.")],
    account: Account = "",
    content_type: Annotated[
        str, typer.Option(help="Content type that Amazon requires; defaults to that of the file's name.")
    ] = "",
    marketplace_id: Marketplaces = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until Amazon has processed the feed.")] = True,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File for the processing report.")] = None,
    state_dir: StateDir = None,
) -> None:
    """Upload a document, create a feed with it, and wait until Amazon has processed it.

    Exit code 1 if processing does not end with DONE.
    """
    kind = content_type or f"{mimetypes.guess_type(file.name)[0] or 'text/plain'}; charset=UTF-8"
    status = complete(_submit(state_dir, account, feed_type, file, kind, marketplace_id, wait, output))
    if wait and status != "DONE":
        raise typer.Exit(1)


class _LastProgress:
    """The last state of a report, for the hint after a run that ended early."""

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
    """Write a document to `output`, or to a file of this name with the suffix of its content type; return its path."""
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
    marketplace_ids: list[str] | None,
    wait: bool,
    output: Path | None,
) -> str:
    account_id = account_or_demo(account, state_dir)
    async with connect(state_dir) as sellergate:
        with receiving(file.name) as progress:
            document_id = await sellergate.documents.upload(account_id, file, content_type, on_progress=progress)
        ids = marketplace_ids or list((await sellergate.accounts.get(account_id)).marketplace_ids)
        wanted = {"feedType": feed_type, "marketplaceIds": ids, "inputFeedDocumentId": document_id}
        made = await sellergate.call(account_id, "POST", "/feeds/2021-06-30/feeds", json=wanted)
        feed_id = made.json()["feedId"]
        say(f"feed {harmless(feed_id)}")
        if not wait:
            return ""
        return await _process(sellergate, account_id, feed_id, output)


async def _process(sellergate: Sellergate, account_id: str, feed_id: str, output: Path | None) -> str:
    """Wait until a feed is processed, write its processing report to a file, and return its status."""
    async with asyncio.timeout(_FEED_SECONDS):
        with receiving(f"feed {harmless(feed_id)}") as progress:
            while True:
                found = (await sellergate.call(account_id, "GET", f"/feeds/2021-06-30/feeds/{feed_id}")).json()
                status: str = found["processingStatus"]
                progress(Received(feed_id, status, 0))
                if status in _FEED_ENDS:
                    break
                await asyncio.sleep(_FEED_PAUSE)
    say(f"status {harmless(status)}")
    if found.get("resultFeedDocumentId"):
        path = output or Path(f"feed-{feed_id}-result.json")
        await sellergate.documents.download(account_id, found["resultFeedDocumentId"], "FEED").save(path)
        say(str(path))
    return status


def _ending(content_type: str) -> str:
    kind = content_type.partition(";")[0].strip().lower()
    return _ENDINGS.get(kind) or mimetypes.guess_extension(kind) or ".txt"


def _aware(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=UTC) if time and time.tzinfo is None else time
