"""Content types of feeds by the names of files, and the request that creates a feed."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sellergate_client.documents.feeds import Feeds, content_type_of
from sellergate_client.responses import SpApiResponse
from sellergate_common.errors import InvalidRequest


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

    def __init__(self) -> None:
        self.created: list[dict[str, Any]] = []
        self.accounts = self.documents = self

    async def get(self, _: str) -> Any:
        return SimpleNamespace(marketplace="US", marketplace_ids=["A2EUQ1WTGCTBG2", "ATVPDKIKX0DER", "A1AM78C64UM0Y8"])

    async def upload(self, *_: Any, **__: Any) -> str:
        return "document"

    async def call(self, *_: str, json: dict[str, Any]) -> SpApiResponse:
        self.created.append(json)
        return SpApiResponse(202, (), b'{"feedId": "1"}', "", 0.0, 1, 0.0, "")


@pytest.mark.parametrize(("given", "sent"), [((), ["ATVPDKIKX0DER"]), (("A1AM78C64UM0Y8",), ["A1AM78C64UM0Y8"])])
def test_a_feed_has_the_home_marketplace_or_those_given_and_its_options(
    given: tuple[str, ...], sent: list[str]
) -> None:
    account: Any = Account()
    submitted = Feeds(account).submit("a", "T", b"x", "text/plain", marketplace_ids=given, options={"k": "v"})
    assert asyncio.run(submitted) == "1"
    expected = {"feedType": "T", "marketplaceIds": sent, "inputFeedDocumentId": "document", "feedOptions": {"k": "v"}}
    assert account.created == [expected]
