"""Content types of feeds, by the names of files."""

from pathlib import Path

import pytest
from sellergate_client.documents.feeds import content_type_of
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
