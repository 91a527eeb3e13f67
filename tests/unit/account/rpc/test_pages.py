"""Pages of lists are bounded by their bytes."""

import base64
from datetime import UTC, datetime

import pytest
from sellergate.account.v1.account_pb2 import Account
from sellergate_account.model import Cursor, Filter
from sellergate_account.rpc import page_tokens
from sellergate_account.rpc.pages import PAGE_BYTES, fitting, page_of
from sellergate_common.errors import InvalidRequest


def message(size: int) -> Account:
    return Account(iam_role_arn="x" * size)


def test_a_page_ends_before_its_bytes_exceed_the_limit() -> None:
    assert len(fitting([400] * 9, 9, message, 1000)) == 2
    assert len(fitting([10] * 9, 5, message, 1000)) == 5
    assert sum(one.ByteSize() for one in fitting([2048] * 501, 500, message)) <= PAGE_BYTES


def test_an_item_larger_than_a_page_is_a_page() -> None:
    assert len(fitting([5000, 1], 9, message, 1000)) == 1
    assert fitting([], 9, message) == []


def cursor(row: int) -> Cursor:
    return Cursor(datetime.fromtimestamp(row, UTC), str(row))


def test_a_page_that_ends_the_list_has_no_token() -> None:
    for found in ([], [1], [1, 2]):
        messages, token = page_of(found, 2, "question", message, cursor)
        assert (len(messages), token) == (len(found), "")


def test_the_token_leads_to_the_row_after_the_last_of_the_page() -> None:
    messages, token = page_of([1, 2, 3], 2, "question", message, cursor)
    assert (len(messages), page_tokens.decode(token, "question")) == (2, cursor(2))


def test_a_page_that_is_cut_by_its_bytes_has_a_token_for_the_rest() -> None:
    messages, token = page_of([PAGE_BYTES, 1], 2, "question", message, cursor)
    assert (len(messages), page_tokens.decode(token, "question")) == (1, cursor(PAGE_BYTES))


def test_a_page_that_ends_where_the_caller_knows_of_more_has_a_token() -> None:
    messages, token = page_of([1, 2], 2, "question", message, cursor, more=True)
    assert (len(messages), page_tokens.decode(token, "question")) == (2, cursor(2))


def test_a_token_of_the_release_before_is_valid_for_the_filters_that_it_knew() -> None:
    before = "Filter(user_id='u1', states=(), marketplaces=(), expires_before=None, application_id='')"
    assert repr(Filter("u1").query) == before
    narrowed = (
        Filter("u1", external_ref="4711"),
        Filter("u1", labels=(("a", "b"),)),
        Filter("u1", amazon_seller_id="A1"),
    )
    assert len({repr(one.query) for one in (*narrowed, Filter("u1"))}) == 4


@pytest.mark.parametrize("text", ["hunter2", '["hunter2", "a", "b"]', '["2026-01-01", "hunter2!", "b"]', "[" * 100_000])
def test_a_text_that_is_no_token_is_in_no_error(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        page_tokens.decode(base64.urlsafe_b64encode(text.encode()).decode().rstrip("="), "question")
    assert "hunter2" not in f"{caught.value!r} {caught.value}"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
