"""Bounds on the bytes of a request before it is parsed."""

import tracemalloc

import pytest
from sellergate.account.v1 import account_service_pb2
from sellergate.common.v1 import rules_pb2
from sellergate.gateway.v1 import call_pb2, gateway_service_pb2
from sellergate.token.v1 import token_service_pb2
from sellergate_common.errors import InvalidRequest
from sellergate_common.rpc.channel import MAX_MESSAGE_BYTES
from sellergate_common.rpc.request_bytes import (
    LEAST_MESSAGE_BYTES,
    LOOKED_AT_BYTES,
    REST_BYTES,
    RequestParser,
    longest_message,
)

from tests.fakes.cpu_time import cpu_time

CALL = "sellergate.gateway.v1.GatewayService/Call"
BODY_BYTES = 10 * 1024 * 1024


def refused(parser: RequestParser, data: bytes) -> str:
    with pytest.raises(InvalidRequest) as caught:
        parser(data)
    (violation,) = caught.value.violations
    assert len(violation.description) < 200
    return violation.field


def call_parser() -> RequestParser:
    return RequestParser(CALL, call_pb2.CallRequest.FromString)


def test_each_method_accepts_its_body_and_a_mebibyte_of_other_fields() -> None:
    get = RequestParser(
        "sellergate.account.v1.AccountService/GetAccount", account_service_pb2.GetAccountRequest.FromString
    )
    rotation = RequestParser(
        "sellergate.token.v1.TokenService/HandleRotation", token_service_pb2.HandleRotationRequest.FromString
    )
    assert get.most == REST_BYTES
    assert call_parser().most == REST_BYTES + BODY_BYTES
    assert rotation.most == REST_BYTES + 65_536 + 262_144
    long = account_service_pb2.GetAccountRequest(account_id="x" * REST_BYTES).SerializeToString()
    assert refused(get, long) == "account_id"
    body = call_pb2.CallRequest(body=b"x" * (BODY_BYTES + REST_BYTES)).SerializeToString()
    assert refused(call_parser(), body) == "body"


def test_the_largest_call_is_parsed() -> None:
    call = call_pb2.CallRequest(account_id="a", body=b"x" * BODY_BYTES, headers=[call_pb2.Header(name="a", value="b")])
    assert call_parser()(call.SerializeToString()) == call


FLOODS = {
    "headers": call_pb2.CallRequest(headers=[call_pb2.Header()]),
    "query": call_pb2.CallRequest(query=call_pb2.QueryParameters(parameters=[call_pb2.QueryParameter()])),
    "path_params": call_pb2.CallRequest(path_params={"": ""}),
    "data_elements": call_pb2.CallRequest(data_elements=[""]),
}


@pytest.mark.parametrize("field", FLOODS)
def test_thousands_of_small_fields_are_refused_before_they_take_memory(field: str) -> None:
    """Each of these was 450 MB in memory for 15 MB on the wire."""
    one = FLOODS[field].SerializeToString()
    data, parser = one * (BODY_BYTES // len(one)), call_parser()
    took = []
    for _ in range(3):
        with cpu_time() as spent:
            assert refused(parser, data).startswith(field)
        took.append(spent.seconds)
    assert min(took) < 0.1
    tracemalloc.start()
    refused(parser, data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1024 * 1024


def test_many_fields_after_a_long_one_are_refused() -> None:
    headers = call_pb2.CallRequest.DESCRIPTOR.fields_by_name["headers"].number
    body = call_pb2.CallRequest(body=b"x" * LOOKED_AT_BYTES).SerializeToString()
    assert refused(call_parser(), body + bytes([headers << 3 | 2, 0]) * 30_000) == "headers"
    assert call_parser()(body + bytes([headers << 3 | 2, 0]) * 5_000)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * 100,
        b"\x0a\xff\xff\xff\xff\x0f",
        b"\x0a\x05ab",
        b"\xff" * (LOOKED_AT_BYTES + 1),
        b"\x0a" + b"\xff" * LOOKED_AT_BYTES,
        b"\x0f" * (LOOKED_AT_BYTES + 1),
        b"\x0b" * (LOOKED_AT_BYTES + 1),
    ],
)
def test_bytes_that_are_not_a_message_are_an_invalid_request(data: bytes) -> None:
    with pytest.raises(InvalidRequest):
        call_parser()(data)


def test_only_chunks_of_streams_may_fill_a_message() -> None:
    for method in gateway_service_pb2.DESCRIPTOR.services_by_name["GatewayService"].methods:
        bodies = [field for field in method.input_type.fields if field.type == field.TYPE_BYTES]
        unruled = [field for field in bodies if not field.GetOptions().Extensions[rules_pb2.rules].max_bytes]
        assert not unruled or method.client_streaming
    assert MAX_MESSAGE_BYTES > BODY_BYTES + REST_BYTES


def test_a_server_receives_the_messages_of_its_longest_method() -> None:
    gateway, token = "sellergate.gateway.v1.GatewayService", "sellergate.token.v1.TokenService"
    assert longest_message([token]) == LEAST_MESSAGE_BYTES < MAX_MESSAGE_BYTES
    assert longest_message([token, gateway]) == MAX_MESSAGE_BYTES
    assert longest_message([]) == LEAST_MESSAGE_BYTES
