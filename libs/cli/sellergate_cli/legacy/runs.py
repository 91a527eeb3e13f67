"""One run over the former table, dry or not: reads, refuses, sends, and adds up what the account service reports."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sellergate_cli.legacy.ciphers import LegacyCipher
from sellergate_cli.legacy.notes import Note, Refused, Tally
from sellergate_cli.legacy.rows import LegacyAccount, read_row, to_request
from sellergate_cli.legacy.table import LegacyTable
from sellergate_cli.operator import SentenceError

if TYPE_CHECKING:
    from sellergate.account.v1.account_admin_service_pb2 import ImportAccountsRequest, ImportAccountsResponse
    from sellergate.account.v1.account_admin_service_pb2_grpc import AccountAdminServiceAsyncStub

ROWS = 500
"""Rows of one stream, and more until a user's last."""
MOST_ROWS = 10_000
"""The account service takes no more in one stream."""
BASE_SECONDS = 60.0
SECONDS_A_ROW = 0.25


@dataclass(slots=True)
class Run:
    """One run over the table; `moved` is told how many rows it went on."""

    table: LegacyTable
    cipher: LegacyCipher
    tally: Tally
    moved: Callable[[int], None]
    dry_run: bool
    role_without_external_id: bool
    rows: int = ROWS
    most_rows: int = MOST_ROWS
    # Sellers of the last user that were let pass, and their accounts' ids, while the user's rows go through several streams.
    _let_pass: dict[tuple[str, str, str], str] = field(default_factory=dict)

    async def go(self, service: "AccountAdminServiceAsyncStub") -> None:
        """Send every row that can be read. Raises SentenceError, SellergateError."""
        for stream in self._streams():
            await self._sent(service, stream)
        self.cipher.check(enough=1)

    def _streams(self) -> Iterator[list[LegacyAccount]]:
        """Cut the rows so that one user's stay together: a dry run remembers what it let pass within one stream alone."""
        stream: list[LegacyAccount] = []
        for account in self._readable():
            if len(stream) >= self.most_rows or (len(stream) >= self.rows and stream[-1].user_id != account.user_id):
                yield stream
                stream = []
            stream.append(account)
        if stream:
            yield stream

    def _readable(self) -> Iterator[LegacyAccount]:
        """Yield the rows that can be read, and note the others. Raises SentenceError when it is the key."""
        now, seen = datetime.now(UTC), set[str]()
        for row in self.table.rows():
            self.cipher.check()
            try:
                self._check_id(row["id"], seen)
                yield read_row(row, self.cipher, now)
            except Refused as refused:
                self.tally.note(Note("refused", _id_of(row["id"]), refused.name, refused.reason))
                self.moved(1)

    def _check_id(self, value: object, seen: set[str]) -> None:
        """Raise Refused for an id that an earlier row has; `seen` are those met so far that more rows have."""
        if (key := str(value)) in seen:
            raise Refused("account_id", "is the id of another row, too")
        if key in self.table.repeated:
            seen.add(key)

    async def _sent(self, service: "AccountAdminServiceAsyncStub", stream: list[LegacyAccount]) -> None:
        from sellergate_common.rpc.channel import invoke_client_stream  # noqa: PLC0415

        stream = [account for account in stream if not self._is_known(account)]
        if not stream:
            return
        seconds = BASE_SECONDS + SECONDS_A_ROW * len(stream)
        requests = self._requests(stream)
        report = await invoke_client_stream(service.ImportAccounts, requests, dependency="account", seconds=seconds)
        if report.created + report.unchanged + len(report.refusals) != len(stream):
            raise SentenceError("The account service's report does not add up.")
        self._note(stream, report)
        user_id, refused = stream[-1].user_id, {note.index for note in report.refusals}
        self._let_pass = {seller: id_ for seller, id_ in self._let_pass.items() if seller[0] == user_id}
        for index, account in enumerate(stream):
            if account.user_id == user_id and index not in refused:
                self._let_pass[account.seller] = account.account_id

    def _requests(self, stream: Iterable[LegacyAccount]) -> "Iterator[ImportAccountsRequest]":
        for account in stream:
            yield to_request(account, dry_run=self.dry_run, role_without_external_id=self.role_without_external_id)
            self.moved(1)

    def _is_known(self, account: LegacyAccount) -> bool:
        """Refuse what an earlier stream's row forestalls, in the account service's words."""
        known = self._let_pass.get(account.seller)
        if known is None:
            return False
        words = f"the user's account of this seller and marketplace is there under the id {known!r}"
        self.tally.note(Note("refused", account.account_id, "account_id", words))
        self.moved(1)
        return True

    def _note(self, stream: list[LegacyAccount], report: "ImportAccountsResponse") -> None:
        self.tally.created += report.created
        self.tally.unchanged += report.unchanged
        for note in report.refusals:
            self.tally.note(Note("refused", stream[note.index].account_id, note.field, note.description))
        for note in report.warnings:
            self.tally.note(Note("warning", stream[note.index].account_id, note.field, note.description))


def _id_of(value: object) -> str:
    return str(value)[:200] if isinstance(value, (str, int)) else ""
