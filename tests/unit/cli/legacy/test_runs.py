"""The division of rows into streams: one user's rows stay together, or accepted ones are remembered across streams."""

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretBytes
from sellergate.account.v1.account_admin_service_pb2 import (
    ImportAccountsRequest,
    ImportAccountsResponse,
    ImportNote,
    ImportOutcome,
    ImportResult,
)
from sellergate_cli.legacy.ciphers import LegacyCipher
from sellergate_cli.legacy.notes import Tally
from sellergate_cli.legacy.rows import Choices
from sellergate_cli.legacy.runs import Run

from tests.e2e.legacy_system import encrypted

KEY = os.urandom(32)
SECRET = encrypted(KEY, "secret")


@dataclass
class Table:
    """Rows of (id, user, seller)."""

    given: list[tuple[str, str, str]]
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def repeated(self) -> frozenset[str]:
        ids = [row[0] for row in self.given]
        return frozenset(id_ for id_ in ids if ids.count(id_) > 1)

    def rows(self) -> Iterator[Mapping[str, Any]]:
        names = ("lwaClientId", "lwaClientSecret", "refreshToken")
        rest = dict.fromkeys(names, SECRET) | {"iamRoleArn": None, "marketplaceIds": "[]", "region": None}
        rest |= {"isActive": 1, "createdAt": "2024-01-01", "updatedAt": "2024-01-01", "marketplace": "gb"}
        for id_, user, seller in self.given:
            yield {"id": id_, "userId": user, "amazonSellerId": seller} | rest | self.changes.get(id_, {})


@dataclass
class Service:
    """An account service that compares only the sellers of a stream, as in a dry run, and refuses IDs that begin with x."""

    streams: list[list[str]] = field(default_factory=list)

    async def ImportAccounts(  # noqa: N802
        self, requests: AsyncIterator[ImportAccountsRequest], **given: Any
    ) -> ImportAccountsResponse:
        ids, sellers, report = [], set[tuple[str, str]](), ImportAccountsResponse()
        async for request in requests:
            seller = (request.account.user_id, request.account.amazon_seller_id)
            if request.account_id.startswith("x") or seller in sellers:
                report.refusals.append(ImportNote(index=len(ids), account_id=request.account_id, field="account_id"))
            else:
                report.created += 1
                report.results.append(ImportResult(index=len(ids), outcome=ImportOutcome.IMPORT_OUTCOME_CREATED))
                sellers.add(seller)
            ids.append(request.account_id)
        self.streams.append(ids)
        return report


async def run(
    rows: list[tuple[str, str, str]], size: int, most: int, **changes: dict[str, Any]
) -> tuple[Tally, list[list[str]]]:
    tally, service, moved = Tally(len(rows)), Service(), list[int]()
    table: Any = Table(rows, changes)
    done = Run(table, LegacyCipher(SecretBytes(KEY)), tally, moved.append, Choices(dry_run=True), size, most)
    stub: Any = service
    await done.go(stub)
    assert sum(moved) == len(rows)
    assert tally.adds_up
    return tally, service.streams


async def test_a_stream_ends_where_a_user_ends() -> None:
    rows = [(f"{user}{n}", user, f"SELLER{n}") for user in "abc" for n in range(3)]
    _, streams = await run(rows, 2, 10)
    assert streams == [["a0", "a1", "a2"], ["b0", "b1", "b2"], ["c0", "c1", "c2"]]
    _, streams = await run(rows, 4, 10)
    assert [len(stream) for stream in streams] == [6, 3]
    _, streams = await run(rows, 2, 2)
    assert [len(stream) for stream in streams] == [2, 2, 2, 2, 1]


async def test_a_seller_that_comes_again_streams_later_is_refused_as_the_run_itself_refuses_it() -> None:
    rows = [("x0", "a", "SELLER0"), ("a1", "a", "SELLER0"), ("a2", "a", "SELLER2"), ("a3", "a", "SELLER3")]
    rows += [("a4", "a", "SELLER0"), ("a5", "a", "SELLER2"), ("b1", "b", "SELLER0"), ("b2", "b", "SELLER0")]
    for size in (1, 2, 3, 100):
        tally, _ = await run(rows, size, size)
        refused = [note.account_id for note in tally.notable]
        assert sorted(refused) == ["a4", "a5", "b2", "x0"], size


async def test_of_rows_with_one_id_the_first_is_taken() -> None:
    tally, streams = await run([("a", "a", "SELLER0"), ("b", "a", "SELLER1"), ("a", "b", "SELLER2")], 2, 2)
    assert streams == [["a", "b"]]
    assert [(note.account_id, note.field) for note in tally.notable] == [("a", "account_id")]


async def test_an_inactive_row_does_not_replace_a_refused_active_row() -> None:
    """The active row is refused by the command (a1, c1) or by the account service (x1); rows of other sellers go on."""
    rows = [("a1", "a", "SELLER1"), ("a2", "a", "SELLER1"), ("a3", "a", "SELLER2")]
    rows += [("x1", "b", "SELLER1"), ("b2", "b", "SELLER1"), ("c1", "c", "SELLER1"), ("c2", "c", "SELLER1")]
    inactive = {"isActive": 0}
    changes: dict[str, dict[str, Any]] = {
        "a1": {"refreshToken": "rubbish"},
        "a2": inactive,
        "a3": inactive,
        "b2": inactive,
    }
    changes |= {"c1": {"refreshToken": None, "isActive": 0}, "c2": inactive}
    tally, streams = await run(rows, 1, 1, **changes)
    refused = {outcome.account_id: outcome.field for outcome in tally.notable}
    assert refused == {
        "a1": "account.refresh_token",
        "a2": "inactive",
        "x1": "account_id",
        "b2": "inactive",
        "c1": "account.refresh_token",
    }
    assert [stream for stream in streams if stream != ["x1"]] == [["a3"], ["c2"]]


async def test_every_row_is_reported_with_what_became_of_it() -> None:
    written: list[dict[str, Any]] = []
    rows = [("a1", "a", "SELLER1"), ("x2", "a", "SELLER2")]
    tally, table, service = Tally(2, written.append), Table(rows), Service()
    given: Any = table
    stub: Any = service
    await Run(given, LegacyCipher(SecretBytes(KEY)), tally, lambda _: None, Choices()).go(stub)
    assert [(line["account_id"], line["outcome"], line["warning"]) for line in written] == [
        ("a1", "created", False),
        ("x2", "refused", False),
    ]
