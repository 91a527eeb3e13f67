"""Update masks of the account service: every fault is named, and a missing value clears no field."""

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from sellergate.account.v1 import account_pb2, application_pb2, application_service_pb2
from sellergate.account.v1 import account_service_pb2 as pb2
from sellergate_account.rpc.account_messages import masked_paths, to_changes
from sellergate_account.rpc.application_messages import to_application_changes
from sellergate_common.errors import InvalidRequest


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ([], ["must name at least one path; it may name a, b"]),
        (["*"], ["must not name '*'; it may name a, b"]),
        (["b", "c", ""], ["must not name ''; it may name a, b", "must not name 'c'; it may name a, b"]),
        (["b", "a", "b"], ["must name 'b' once"]),
        (["\u202e" + "x" * 100], ["must not name '\\u202e" + "x" * 63 + "'; it may name a, b"]),
    ],
)
def test_every_fault_of_a_mask_is_reported(paths: list[str], expected: list[str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        masked_paths(FieldMask(paths=paths), ("a", "b"))
    assert [violation.description for violation in caught.value.violations] == expected
    assert {violation.field for violation in caught.value.violations} == {"update_mask"}


def test_a_message_shortens_a_long_list_of_paths() -> None:
    with pytest.raises(InvalidRequest) as caught:
        masked_paths(FieldMask(paths=map(str, range(100_000))), ("a", "b"))
    assert len(caught.value.violations) == 20


@pytest.mark.parametrize("path", ["application_id", "authorization_expire_time", "refresh_token", "lwa_client_secret"])
def test_a_path_of_an_account_needs_its_value(path: str) -> None:
    request = pb2.UpdateAccountRequest(account=account_pb2.Account(account_id="a"), update_mask=FieldMask(paths=[path]))
    with pytest.raises(InvalidRequest, match="must be set when update_mask names it") as caught:
        to_changes(request)
    assert caught.value.violations[0].field.removeprefix("account.") == path


def test_a_path_of_an_application_needs_its_value() -> None:
    request = application_service_pb2.UpdateApplicationRequest(
        application=application_pb2.Application(application_id="a"), update_mask=FieldMask(paths=["secret_expire_time"])
    )
    with pytest.raises(InvalidRequest) as caught:
        to_application_changes(request)
    assert caught.value.violations[0].field == "application.secret_expire_time"
