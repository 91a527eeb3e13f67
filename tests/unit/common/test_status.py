"""The status of a failed call is read completely, or is none of Sellergate's."""

import pytest
from google.rpc.status_pb2 import Status
from sellergate_common.errors import (
    FieldViolation,
    InvalidRequest,
    NotFound,
    Reason,
    Resource,
    SellergateError,
    Unavailable,
)
from sellergate_common.status import from_bytes, to_status

ERRORS = (
    InvalidRequest("a", violations=[FieldViolation("b", "c")]),
    Unavailable("a", retry_after=1.5, metadata={"d": "e"}),
    NotFound("a", reason=Reason.ACCOUNT_NOT_FOUND, resource=Resource("account", "1"), help_url="https://a.test/"),
)


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_survives(error: SellergateError) -> None:
    found = from_bytes(to_status(error, "account").SerializeToString())
    assert found is not None
    assert (found.message, found.reason, found.retry_after) == (error.message, error.reason, error.retry_after)


@pytest.mark.parametrize("error", ERRORS)
def test_a_status_with_a_broken_detail_is_none(error: SellergateError) -> None:
    for place in range(len(to_status(error, "account").details)):
        status = to_status(error, "account")
        status.details[place].value = b"\x0a\xff"
        assert from_bytes(status.SerializeToString()) is None


@pytest.mark.parametrize("encoded", [b"", b"\xff", Status(code=3, message="a").SerializeToString()])
def test_a_status_without_details_is_none(encoded: bytes) -> None:
    assert from_bytes(encoded) is None
