"""User IDs in gRPC metadata: every printable text, byte for byte, readable by peers that read only the plain key."""

import pytest
from sellergate_common.context import CallContext, trace_context, use_context
from sellergate_common.errors import InvalidRequest
from sellergate_common.identity.users import from_metadata, is_user_id, to_metadata
from sellergate_common.rpc.channel import outgoing_metadata


@pytest.mark.parametrize("user", ["u1", "auth0|5f7c8ec7c33c6c004bbafe82", "a b", "!", "~" * 128])
def test_ascii_is_sent_under_the_key_that_every_peer_reads(user: str) -> None:
    assert to_metadata(user) == ("on_behalf_of", user)


@pytest.mark.parametrize("user", ["jürgen", "ju\u0308rgen", "山田太郎", "🦊", " a", "a ", "界" * 128])
def test_other_ids_are_sent_as_bytes_and_read_back_unchanged(user: str) -> None:
    key, value = to_metadata(user)
    assert key == "on_behalf_of-bin"
    assert isinstance(value, bytes)
    assert from_metadata(value) == user


@pytest.mark.parametrize("user", ["", "a\n", "\x00", "a\x7f", "\u202ea", "\ud800", "\u2028", "x" * 129])
def test_an_invalid_user_id_is_refused_by_name(user: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        to_metadata(user)
    assert [violation.field for violation in caught.value.violations] == ["on_behalf_of"]


def test_bytes_that_are_not_utf_8_are_an_invalid_user_id() -> None:
    assert not is_user_id(from_metadata(b"\xff\xfe"))
    assert not is_user_id(from_metadata(b"\xed\xa0\x80"))


def test_a_trace_context_that_metadata_cannot_carry_is_omitted() -> None:
    good = f"00-{'a' * 32}-{'b' * 16}-01"
    assert trace_context(good) == good
    for bad in ("", "ü", good + "\n", "00-x"):
        assert trace_context(bad) == ""
    with use_context(CallContext("m", "id", good)):
        assert ("traceparent", good) in outgoing_metadata("jürgen")
