"""Rules of the contracts that no linter checks."""

import re
from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from sellergate.account.v1 import account_pb2, application_pb2
from sellergate.common.v1 import rules_pb2
from sellergate.gateway.v1 import call_pb2, operation_pb2
from sellergate_common.rpc.channel import service_config

from tests.unit.common.identity.test_policy import MODULES

SECRET = re.compile(
    r"(secret|password|refresh_token|access_token|session_token|access_key|handle|nonce|signature)(?!_set)"
)
NOT_SECRET = {
    "sellergate.account.v1.Account.refresh_token_set",
    "sellergate.account.v1.Application.secret_expire_time",
    "sellergate.account.v1.Application.previous_secret_expire_time",
    "sellergate.account.v1.ApplicationSecrets.previous_secret_expire_time",
    "sellergate.account.v1.RotateClientSecretRequest.old_secret_expire_time",
    "sellergate.account.v1.RotateClientSecretRequest.secret_expire_time",
}


def messages() -> Iterator[Descriptor]:
    for module in (*MODULES, account_pb2, application_pb2, call_pb2, operation_pb2):
        yield from module.DESCRIPTOR.message_types_by_name.values()


def test_every_field_named_like_a_secret_is_redacted_in_debug_output() -> None:
    bare = [
        field.full_name
        for message in messages()
        for field in message.fields
        if SECRET.search(field.name)
        and field.full_name not in NOT_SECRET
        and field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)
        and not field.GetOptions().debug_redact
    ]
    assert not bare


def test_account_never_holds_a_secret() -> None:
    account = next(message for message in messages() if message.full_name == "sellergate.account.v1.Account")
    assert not [field.name for field in account.fields if field.GetOptions().debug_redact]


def test_every_list_has_its_page_from_day_one() -> None:
    """A list of changes has no end: it goes on from a cursor, and the service bounds each response."""
    forms = {"Request": ({"page_size", "page_token"}, {"cursor"}), "Response": ({"next_page_token"}, {"next_cursor"})}
    for message in messages():
        for end, (page, feed) in forms.items():
            if message.name.startswith("List") and message.name.endswith(end):
                wanted = feed if message.name.endswith(f"Changes{end}") else page
                assert wanted <= set(message.fields_by_name), message.full_name


def test_patterns_have_a_description() -> None:
    for message in messages():
        for field in message.fields:
            rules = field.GetOptions().Extensions[rules_pb2.rules]
            if rules.pattern:
                re.compile(rules.pattern)
                assert rules.pattern_hint, field.full_name


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.DESCRIPTOR.name)
def test_grpc_repeats_exactly_the_idempotent_methods(module: object) -> None:
    contracts = list(module.DESCRIPTOR.services_by_name.values())  # type: ignore[attr-defined]
    repeated = {
        (name["service"], name["method"])
        for config in service_config(contracts).get("methodConfig", [])
        for name in config["name"]
    }
    idempotent = {
        (contract.full_name, method.name)
        for contract in contracts
        for method in contract.methods
        if method.GetOptions().idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN
    }
    assert repeated == idempotent
    assert ("sellergate.gateway.v1.GatewayService", "Call") not in repeated
