"""Content types of feeds by the names of files, and the request that creates a feed."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sellergate_client.documents.feeds import Feed, Feeds, content_type_of
from sellergate_client.responses import SpApiResponse
from sellergate_common.errors import InvalidRequest, OutcomeUnknown, OutOfTime, Reason, Unavailable

from tests.fakes.virtual_time import run_in_virtual_time


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("invoice.pdf", "application/pdf"),
        ("feed.json", "application/json; charset=UTF-8"),
        ("feed.xml", "text/xml; charset=UTF-8"),
        ("feed.txt", "text/plain; charset=UTF-8"),
        ("feed", "text/plain; charset=UTF-8"),
    ],
)
def test_only_text_has_a_charset(name: str, kind: str) -> None:
    found = content_type_of(Path(name))
    assert found.replace("application/xml", "text/xml") == kind


def test_bytes_need_a_content_type() -> None:
    with pytest.raises(InvalidRequest) as caught:
        content_type_of(b"x")
    assert caught.value.violations[0].field == "content_type"


class Account:
    """A stored account with three marketplaces, whose home is the United States; it records what feeds were created."""

    def __init__(self, *bodies: bytes) -> None:
        self.created: list[dict[str, Any]] = []
        self.bodies = list(bodies) or [b'{"feedId": "1"}']
        self.accounts = self.documents = self

    async def get(self, _: str) -> Any:
        return SimpleNamespace(marketplace="US", marketplace_ids=["A2EUQ1WTGCTBG2", "ATVPDKIKX0DER", "A1AM78C64UM0Y8"])

    async def upload(self, *_: Any, **__: Any) -> str:
        return "document"

    async def call(self, _: str, method: str, __: str, json: Any = None) -> SpApiResponse:
        self.created += [json] if method == "POST" else []
        body = self.bodies.pop(0) if len(self.bodies) > 1 else self.bodies[0]
        return SpApiResponse(202, (), body, "", 0.0, 1, 0.0, "")


@pytest.mark.parametrize(("given", "sent"), [((), ["ATVPDKIKX0DER"]), (("A1AM78C64UM0Y8",), ["A1AM78C64UM0Y8"])])
def test_a_feed_has_the_home_marketplace_or_those_given_and_its_options(
    given: tuple[str, ...], sent: list[str]
) -> None:
    account: Any = Account()
    submitted = Feeds(account).submit("a", "T", b"x", "text/plain", marketplace_ids=given, options={"k": "v"})
    assert asyncio.run(submitted) == "1"
    expected = {"feedType": "T", "marketplaceIds": sent, "inputFeedDocumentId": "document", "feedOptions": {"k": "v"}}
    assert account.created == [expected]


UNREADABLE = [b"", b"{}", b"[]", b"<html>", b'{"feedId": 5, "processingStatus": null}', b'{"feedId": "1", "proc']


@pytest.mark.parametrize("body", UNREADABLE)
def test_a_feed_that_amazon_may_have_created_is_an_unknown_outcome(body: bytes) -> None:
    account: Any = Account(body)
    with pytest.raises(OutcomeUnknown, match="may have created the feed") as caught:
        asyncio.run(Feeds(account).submit("a", "T", b"x", "text/plain"))
    assert (caught.value.reason, len(account.created)) == (Reason.AMAZON_OUTCOME_UNKNOWN, 1)


@pytest.mark.parametrize("body", UNREADABLE)
def test_a_poll_that_cannot_be_read_ends_no_wait(body: bytes) -> None:
    account: Any = Account(body, b'{"processingStatus": "IN_PROGRESS"}', body, b'{"processingStatus": "DONE"}')
    assert run_in_virtual_time(Feeds(account).wait("a", "1", seconds=1000.0)) == Feed("1", "DONE", "")
    with pytest.raises(OutOfTime, match="its status is unknown"):
        run_in_virtual_time(Feeds(account_of(body)).wait("a", "1", seconds=0.0))
    with pytest.raises(Unavailable) as caught:
        asyncio.run(Feeds(account_of(body)).get("a", "1"))
    assert caught.value.reason is Reason.AMAZON_UNAVAILABLE


def account_of(body: bytes) -> Any:
    return Account(body)
