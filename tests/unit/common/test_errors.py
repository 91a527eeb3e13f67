"""The reasons, their codes, and the mapping to and from google.rpc.Status."""

import grpc
import pytest
from google.rpc.status_pb2 import Status
from sellergate.common.v1 import error_reason_pb2
from sellergate_common.errors import (
    RULES,
    FieldViolation,
    InvalidRequest,
    NotFound,
    QuotaExceeded,
    Reason,
    Resource,
    Unavailable,
)
from sellergate_common.status import DETAILS_KEY, DO_NOT_RETRY, from_rpc_error, to_status, trailing_metadata


def rpc_error(code: grpc.StatusCode, trailing: tuple[tuple[str, str | bytes], ...] = ()) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(*trailing), "said by the transport")


def test_the_reasons_are_those_of_the_proto() -> None:
    of_proto = {name.removeprefix("ERROR_REASON_") for name, _ in error_reason_pb2.ErrorReason.items()} - {
        "UNSPECIFIED"
    }
    assert of_proto == {reason.value for reason in Reason} == {reason.value for reason in RULES}


@pytest.mark.parametrize("reason", Reason)
def test_every_error_is_the_same_after_its_transfer(reason: Reason) -> None:
    sent = RULES[reason].error(
        "Do this.",
        reason=reason,
        metadata={"amazon_request_id": "r-1"},
        violations=[FieldViolation("a.b[0]", "must be set")],
        resource=Resource("account", "x"),
        retry_after=1.5,
        help_url="https://example.com/help",
    )
    status = to_status(sent, "token")
    got = from_rpc_error(rpc_error(grpc.StatusCode[sent.code], trailing_metadata(status)), "token")
    assert type(got) is type(sent)
    for name in ("message", "reason", "metadata", "violations", "resource", "retry_after", "help_url", "http_status"):
        assert getattr(got, name) == getattr(sent, name), name
    assert got.domain == "sellergate.token"


def test_an_error_passed_on_keeps_the_domain_of_the_service_that_raised_it() -> None:
    first = to_status(NotFound.account("x"), "account")
    passed = from_rpc_error(rpc_error(grpc.StatusCode.NOT_FOUND, trailing_metadata(first)), "account")
    again = to_status(passed, "gateway")
    got = from_rpc_error(rpc_error(grpc.StatusCode.NOT_FOUND, trailing_metadata(again)), "gateway")
    assert got.domain == "sellergate.account"


def test_quota_errors_carry_quota_failure_and_retry_info() -> None:
    status = to_status(QuotaExceeded("Wait.", retry_after=2.0), "gateway")
    kinds = {detail.type_url.rpartition(".")[2] for detail in status.details}
    assert kinds == {"ErrorInfo", "QuotaFailure", "RetryInfo"}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.UNAVAILABLE, Reason.DEPENDENCY_UNAVAILABLE),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Reason.DEADLINE_EXCEEDED),
        (grpc.StatusCode.UNKNOWN, Reason.INTERNAL),
    ],
)
def test_a_transport_failure_gets_the_reason_of_its_code(code: grpc.StatusCode, reason: Reason) -> None:
    error = from_rpc_error(rpc_error(code), "account")
    assert error.reason is reason
    assert error.domain == ""
    assert (error.retry_after is not None) == isinstance(error, Unavailable)


def test_malformed_details_are_not_read_as_sellergates() -> None:
    for details in (b"\xff\xff", Status(message="theirs").SerializeToString()):
        error = from_rpc_error(rpc_error(grpc.StatusCode.UNAVAILABLE, ((DETAILS_KEY, details),)), "account")
        assert error.reason is Reason.DEPENDENCY_UNAVAILABLE


def test_grpc_does_not_retry_a_call_that_a_service_refused() -> None:
    assert DO_NOT_RETRY in trailing_metadata(to_status(InvalidRequest("no"), "account"))


def test_an_overlong_id_is_not_repeated_in_full() -> None:
    error = NotFound.account("x" * 1_000_000)
    assert error.resource
    assert len(error.resource.name) <= 65


def test_the_details_of_any_error_fit_into_the_trailers() -> None:
    fields = [FieldViolation(f"update_mask.{'x' * 300}", f"must not name {number}: é") for number in range(10_000)]
    status = to_status(InvalidRequest("é" * 100_000, violations=fields), "account")
    assert len(status.message.encode()) <= 1_000
    assert status.message.endswith("é…")
    assert len(status.SerializeToString()) * 4 / 3 < 6_000
    received = from_rpc_error(rpc_error(grpc.StatusCode.INVALID_ARGUMENT, trailing_metadata(status)), "account")
    assert 5 < len(received.violations) < 50
    assert received.violations[0].description == "must not name 0: é"
