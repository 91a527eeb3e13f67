"""Pages of lists are bounded by their bytes."""

from sellergate.account.v1.account_pb2 import Account
from sellergate_account.rpc.pages import PAGE_BYTES, fitting


def message(size: int) -> Account:
    return Account(iam_role_arn="x" * size)


def test_a_page_ends_before_its_bytes_are_too_many() -> None:
    assert len(fitting([400] * 9, 9, message, 1000)) == 2
    assert len(fitting([10] * 9, 5, message, 1000)) == 5
    assert sum(one.ByteSize() for one in fitting([2048] * 501, 500, message)) <= PAGE_BYTES


def test_an_item_larger_than_a_page_is_a_page() -> None:
    assert len(fitting([5000, 1], 9, message, 1000)) == 1
    assert fitting([], 9, message) == []
