"""One run over the former table, dry or not: reads rows, refuses invalid ones, sends the others and counts the outcomes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sellergate_cli.legacy.ciphers import LegacyCipher
from sellergate_cli.legacy.notes import Refused, RowOutcome, Tally
from sellergate_cli.legacy.rows import Choices, LegacyAccount, Seller, inactive_seller, read_row, to_request
from sellergate_cli.legacy.table import LegacyTable
from sellergate_cli.operator import SentenceError

if TYPE_CHECKING:
    from sellergate.account.v1.account_admin_service_pb2 import ImportAccountsRequest, ImportAccountsResponse
    from sellergate.account.v1.account_admin_service_pb2_grpc import AccountAdminServiceAsyncStub

ROWS = 500
"""The number of rows after which a stream ends with its last user's rows."""
MOST_ROWS = 10_000
"""The most rows that the account service accepts in one stream."""
BASE_SECONDS = 60.0
SECONDS_A_ROW = 0.25
_SHUT_OUT = "an active row of this seller and marketplace was refused; correct that row and import again"


@dataclass(slots=True)
class Run:
    """One run over the table; `moved` gets the number of completed rows."""

    table: LegacyTable
    cipher: LegacyCipher
    tally: Tally
    moved: Callable[[int], None]
    choices: Choices
    rows: int = ROWS
    most_rows: int = MOST_ROWS
    # Accepted sellers of the last user with their account IDs, while the user's rows span several streams.
    _let_pass: dict[Seller, str] = field(default_factory=dict)
    # Sellers of the last users whose active row was refused: an inactive row must not replace it.
    _refused: set[Seller] = field(default_factory=set)

    async def go(self, service: "AccountAdminServiceAsyncStub") -> None:
        """Send every row that can be read. Raises SentenceError, SellergateError."""
        for stream in self._streams():
            await self._send(service, stream)

    def _streams(self) -> Iterator[list[LegacyAccount]]:
        """Split the rows into streams, one user's rows together: a dry run detects conflicts only within a stream."""
        stream: list[LegacyAccount] = []
        for account in self._readable():
            if len(stream) >= self.most_rows or (len(stream) >= self.rows and stream[-1].user_id != account.user_id):
                yield stream
                stream = []
            stream.append(account)
        if stream:
            yield stream

    def _readable(self) -> Iterator[LegacyAccount]:
        """Yield the rows that can be read, and refuse the others."""
        now, seen = datetime.now(UTC), set[str]()
        for row in self.table.rows():
            try:
                self._check_id(row["id"], seen)
                account = read_row(row, self.cipher, now)
            except Refused as refused:
                self._note_refused(row)
                self._refuse(_id_of(row["id"]), refused.name, refused.reason)
                continue
            if account.inactive and account.seller in self._refused:
                self._refuse(account.account_id, "inactive", _SHUT_OUT)
            else:
                yield account

    def _check_id(self, value: object, seen: set[str]) -> None:
        """Raise Refused for the ID of an earlier row; `seen` holds the repeated IDs so far."""
        if (key := str(value)) in seen:
            raise Refused("account_id", "is also the ID of another row")
        if key in self.table.repeated:
            seen.add(key)

    def _note_refused(self, row: Mapping[str, Any]) -> None:
        seller, inactive = inactive_seller(row)
        if seller and not inactive:
            self._refused = {other for other in self._refused if other[0] == seller[0]} | {seller}

    def _refuse(self, account_id: str, name: str, reason: str) -> None:
        self.tally.add(RowOutcome("refused", account_id, name, reason))
        self.moved(1)

    async def _send(self, service: "AccountAdminServiceAsyncStub", stream: list[LegacyAccount]) -> None:
        from sellergate_common.rpc.channel import invoke_client_stream  # noqa: PLC0415

        stream = [account for account in stream if not self._conflicts(account)]
        if not stream:
            return
        seconds = BASE_SECONDS + SECONDS_A_ROW * len(stream)
        requests = self._requests(stream)
        report = await invoke_client_stream(service.ImportAccounts, requests, dependency="account", seconds=seconds)
        outcomes = _outcomes_of(stream, report)
        user_id = stream[-1].user_id
        self._let_pass = {seller: id_ for seller, id_ in self._let_pass.items() if seller[0] == user_id}
        for account, outcome in zip(stream, outcomes, strict=True):
            self.tally.add(outcome)
            if account.user_id != user_id:
                continue
            if outcome.outcome != "refused":
                self._let_pass[account.seller] = account.account_id
            elif not account.inactive:
                self._refused.add(account.seller)

    def _requests(self, stream: Iterable[LegacyAccount]) -> "Iterator[ImportAccountsRequest]":
        for account in stream:
            yield to_request(account, self.choices)
            self.moved(1)

    def _conflicts(self, account: LegacyAccount) -> bool:
        """Refuse rows that conflict with an earlier row, with the account service's reason."""
        known = self._let_pass.get(account.seller)
        if known is not None:
            words = f"the user's account of this seller and marketplace is stored under the id {known!r}; correct the row's id"
            self._refuse(account.account_id, "account_id", words)
        elif account.inactive and account.seller in self._refused:
            self._refuse(account.account_id, "inactive", _SHUT_OUT)
        else:
            return False
        return True


def _outcomes_of(stream: list[LegacyAccount], report: "ImportAccountsResponse") -> list[RowOutcome]:
    """Return the outcome of each account. Raises SentenceError if the report is incomplete."""
    from sellergate.account.v1.account_admin_service_pb2 import ImportOutcome  # noqa: PLC0415

    warnings = {note.index: note for note in report.warnings}
    outcomes: dict[int, RowOutcome] = {}
    for result in report.results:
        created = result.outcome == ImportOutcome.IMPORT_OUTCOME_CREATED
        warning = warnings.get(result.index)
        outcomes[result.index] = RowOutcome(
            "created" if created else "unchanged",
            stream[result.index].account_id,
            warning.field if warning else "",
            warning.description if warning else "",
            result.shared_application_id,
        )
    for note in report.refusals:
        outcomes[note.index] = RowOutcome("refused", stream[note.index].account_id, note.field, note.description)
    if len(outcomes) != len(stream) or report.created + report.unchanged != len(report.results):
        raise SentenceError(
            "The account service's report is incomplete. Update the account service to the version of this command."
        )
    return [outcomes[index] for index in range(len(stream))]


def _id_of(value: object) -> str:
    return str(value)[:200] if isinstance(value, (str, int)) else ""
