"""The check of webhook messages: all refusals are the same, and no message is accepted twice."""

import hashlib
import hmac

import pytest
from pydantic import SecretStr
from sellergate_common.errors import NotFound, Unauthenticated
from sellergate_token.rotation.webhooks import SignedMessage, Webhooks, parse_secrets, sign

NOW = 1_800_000_000
ONE, TWO, OTHER = "1" * 32, "2" * 43, "o" * 32
BODY = b'{"type": "CLIENT_SECRET"}'


class FakeSeen(set[str]):
    async def claim(self, digest: str) -> bool:
        new = digest not in self
        self.add(digest)
        return new

    async def release(self, digest: str) -> None:
        self.discard(digest)


@pytest.fixture
def seen() -> FakeSeen:
    return FakeSeen()


@pytest.fixture
def webhooks(seen: FakeSeen) -> Webhooks:
    return Webhooks(parse_secrets(f"app {ONE}\napp {TWO}\n\nother {OTHER}\n"), seen, lambda: float(NOW))


def signed(secret: str = ONE, timestamp: str = str(NOW), body: bytes = BODY) -> SignedMessage:
    mac = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return SignedMessage(timestamp, f"v1={mac}", body)


async def admitted(webhooks: Webhooks, message: SignedMessage) -> str:
    async with webhooks.admit(message) as application_id:
        return application_id


async def test_messages_of_both_secrets_are_accepted_within_five_minutes(webhooks: Webhooks) -> None:
    assert sign(SecretStr(ONE), str(NOW), BODY) == signed().signature
    assert await admitted(webhooks, signed()) == "app"
    assert await admitted(webhooks, signed(TWO)) == "app"
    assert await admitted(webhooks, signed(OTHER)) == "other"
    for moment in (NOW - 300, NOW + 300):
        assert await admitted(webhooks, signed(timestamp=str(moment))) == "app"


@pytest.mark.parametrize(
    "message",
    [
        signed("x" * 32),
        signed(timestamp=str(NOW - 301)),
        signed(timestamp=str(NOW + 301)),
        signed(timestamp=f"+{NOW}"),
        signed(timestamp=f" {NOW}"),
        signed(timestamp="nan"),
        signed(timestamp="9" * 30),
        signed(timestamp=""),
        SignedMessage(str(NOW), signed().signature, BODY + b" "),
        SignedMessage(str(NOW - 1), signed().signature, BODY),
        SignedMessage(str(NOW), signed().signature.upper(), BODY),
        SignedMessage(str(NOW), signed().signature.removeprefix("v1="), BODY),
        SignedMessage(str(NOW), "v1=é", BODY),
        SignedMessage(str(NOW), "", BODY),
    ],
)
async def test_all_refusals_are_alike_and_record_nothing(
    webhooks: Webhooks, seen: FakeSeen, message: SignedMessage
) -> None:
    words = []
    for one in (message, signed("y" * 32)):
        with pytest.raises(Unauthenticated) as caught:
            await admitted(webhooks, one)
        words.append(caught.value.message)
    assert words[0] == words[1]
    assert not seen


async def test_a_replay_is_refused_unless_the_first_message_failed(webhooks: Webhooks) -> None:
    with pytest.raises(NotFound):
        async with webhooks.admit(signed()):
            raise NotFound.account("x")
    assert await admitted(webhooks, signed()) == "app"
    with pytest.raises(Unauthenticated):
        await admitted(webhooks, signed())


async def test_without_secrets_no_message_is_accepted(seen: FakeSeen) -> None:
    with pytest.raises(Unauthenticated):
        await admitted(Webhooks(parse_secrets(""), seen, lambda: float(NOW)), signed(""))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (f"app {ONE[:-1]}", "line 1"),
        (f"app {ONE}\nnothing", "line 2"),
        (f"../x {ONE}", "line 1"),
        (f"app {ONE} {TWO}", "line 1"),
        (f"app {ONE}\nother {ONE}", "line 2 repeats"),
        (f"app {ONE}\napp {TWO}\napp {OTHER}", "line 3 is the third"),
    ],
)
def test_invalid_secrets_are_named_by_line_and_not_shown(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=named) as caught:
        parse_secrets(text)
    assert not any(secret[:16] in str(caught.value) for secret in (ONE, TWO, OTHER))
