"""The service of website authorizations, on fakes: a refusal changes no account and ends the state."""

from dataclasses import asdict, replace
from urllib.parse import parse_qsl, urlsplit

import pytest
from pydantic import SecretStr
from sellergate_amazon.marketplaces import MARKETPLACES, Marketplace
from sellergate_common.errors import (
    InvalidRequest,
    NotAllowed,
    NotFound,
    PreconditionFailed,
    Reason,
    SellergateError,
    Unavailable,
)
from sellergate_token.authorizations.completion import AUTHORIZATION_SECONDS, AuthorizationCallback
from sellergate_token.authorizations.consent import AuthorizationRequest
from sellergate_token.authorizations.service import STATE_SECONDS, PendingAuthorization
from sellergate_token.ports import Code, RefreshToken

from tests.fakes.token import APPLICATION, AuthorizationWorld

REQUEST = AuthorizationRequest("u1", "app", "US")
CONFIRM = "https://sellercentral-europe.amazon.com/apps/authorize/confirm/amzn1.sp.solution.1"
APPSTORE = replace(
    REQUEST,
    marketplace="DE",
    amazon_callback_uri=CONFIRM,
    amazon_state=SecretStr("amazon&s"),
    selling_partner_id="A1SELLER",
)


@pytest.fixture
def world() -> AuthorizationWorld:
    return AuthorizationWorld()


def returned(begun: PendingAuthorization, code: str = "S1", seller: str = "A1SELLER") -> AuthorizationCallback:
    return AuthorizationCallback(begun.state, begun.browser_nonce, SecretStr(code), seller)


def read(begun: PendingAuthorization) -> tuple[str, dict[str, str]]:
    parts = urlsplit(begun.url.get_secret_value())
    return f"{parts.scheme}://{parts.netloc}{parts.path}", dict(parse_qsl(parts.query, strict_parsing=True))


@pytest.mark.parametrize("marketplace", MARKETPLACES, ids=lambda marketplace: marketplace.code)
async def test_the_consent_page_is_in_the_central_of_the_marketplace(
    world: AuthorizationWorld, marketplace: Marketplace
) -> None:
    begun = await world.authorizations.start(replace(REQUEST, marketplace=marketplace.code), "u1")
    assert read(begun) == (
        f"https://{marketplace.seller_central}/apps/authorize/consent",
        {
            "application_id": "amzn1.sp.solution.1",
            "state": begun.state.get_secret_value(),
            "redirect_uri": "https://ours.example/cb",
        },
    )
    vendor = replace(REQUEST, marketplace=marketplace.code, vendor=True)
    if marketplace.vendor_central:
        begun = await world.authorizations.start(vendor, "u1")
        assert read(begun)[0] == f"https://{marketplace.vendor_central}/apps/authorize/consent"
    else:
        with pytest.raises(InvalidRequest) as caught:
            await world.authorizations.start(vendor, "u1")
        assert [violation.field for violation in caught.value.violations] == ["marketplace"]


async def test_a_draft_application_is_authorized_with_version_beta(world: AuthorizationWorld) -> None:
    world.applications.known["app"] = replace(APPLICATION, draft=True)
    for beginning in (REQUEST, APPSTORE):
        assert read(await world.authorizations.start(beginning, "u1"))[1]["version"] == "beta"
    world.applications.known["app"] = APPLICATION
    for beginning in (REQUEST, APPSTORE):
        assert "version" not in read(await world.authorizations.start(beginning, "u1"))[1]


async def test_the_appstore_gets_its_own_state_back(world: AuthorizationWorld) -> None:
    begun = await world.authorizations.start(APPSTORE, "u1")
    assert read(begun) == (
        CONFIRM,
        {
            "amazon_state": "amazon&s",
            "state": begun.state.get_secret_value(),
            "redirect_uri": "https://ours.example/cb",
        },
    )


async def test_a_stored_authorization_holds_no_secret_of_the_browser(world: AuthorizationWorld) -> None:
    begun = await world.authorizations.start(replace(REQUEST, marketplace="gb"), "u1")
    ((pending, _),) = world.states.entries.values()
    assert begun.browser_nonce.get_secret_value() not in str(asdict(pending))
    assert (pending.user_id, pending.marketplace, pending.partner_type, pending.entry) == (
        "u1",
        "UK",
        "SELLER",
        "WEBSITE",
    )
    assert (pending.redirect_uri, pending.expire_time) == ("https://ours.example/cb", world.now[0] + STATE_SECONDS)
    for text in (repr(begun), repr(returned(begun)), repr(APPSTORE)):
        assert "random-" not in text
        assert "amazon&s" not in text


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"marketplace": "XX"}, "marketplace"),
        ({"amazon_callback_uri": "https://evil.example/apps/authorize/confirm/x"}, "amazon_callback_uri"),
        ({"amazon_callback_uri": "http://127.0.0.1:3900/apps/authorize/confirm/x"}, "amazon_callback_uri"),
        ({"amazon_callback_uri": ""}, "amazon_callback_uri"),
        ({"amazon_state": None}, "amazon_state"),
    ],
)
async def test_an_invalid_start_is_refused_by_field(
    world: AuthorizationWorld, changes: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await world.authorizations.start(replace(APPSTORE, **changes), "u1")  # type: ignore[arg-type]
    assert [violation.field for violation in caught.value.violations] == [field]
    assert not world.states.entries


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"spapi_application_id": ""}, "spapi_application_id"),
        ({"redirect_uris": ()}, "redirect_uris"),
        ({"spapi_application_id": "", "redirect_uris": ()}, "spapi_application_id and redirect_uris"),
    ],
)
async def test_the_refusal_of_an_incomplete_application_names_what_is_missing(
    world: AuthorizationWorld, changes: dict[str, str], problem: str
) -> None:
    world.applications.known["app"] = replace(APPLICATION, **changes)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match=problem) as caught:
        await world.authorizations.start(REQUEST, "u1")
    assert [violation.field for violation in caught.value.violations] == ["application_id"]
    assert not world.states.entries


async def test_another_users_application_is_not_found(world: AuthorizationWorld) -> None:
    world.applications.known["theirs"] = replace(APPLICATION, application_id="theirs", owner_user_id="u2")
    for application in ("theirs", "nothing"):
        with pytest.raises(NotFound) as caught:
            await world.authorizations.start(replace(REQUEST, application_id=application), "u1")
        assert caught.value.reason is Reason.APPLICATION_NOT_FOUND
    assert await world.authorizations.start(AuthorizationRequest("u2", "theirs", "US"), "u2")


async def test_only_an_operator_may_start_for_another_user(world: AuthorizationWorld) -> None:
    with pytest.raises(NotAllowed):
        await world.authorizations.start(REQUEST, "u2")
    assert not world.states.entries
    assert await world.authorizations.start(REQUEST, "")


async def test_an_account_is_stored_after_its_refresh_token_has_worked(world: AuthorizationWorld) -> None:
    for beginning, user in ((APPSTORE, ""), (REQUEST, "u1")):
        begun = await world.authorizations.start(beginning, "u1")
        world.lwa.codes["S1"] = "Atzr|new"
        world.lwa.seen.clear()
        world.now[0] += STATE_SECONDS - 1
        account = await world.authorizations.complete(returned(begun), user)
        code = Code(SecretStr("S1"), "https://ours.example/cb")
        assert world.lwa.seen == [code, RefreshToken(SecretStr("Atzr|new"))]
        assert (account.user_id, account.application_id, account.selling_partner_id) == ("u1", "app", "A1SELLER")
        assert account.marketplace == ("DE" if beginning is APPSTORE else "US")
        assert account.refresh_token == SecretStr("Atzr|new")
        assert account.authorization_expire_time == world.now[0] + AUTHORIZATION_SECONDS
    assert len(world.sellers.stored) == 2


async def test_the_previous_secret_is_used_while_amazon_rejects_the_new_one(world: AuthorizationWorld) -> None:
    begun = await world.authorizations.start(REQUEST, "u1")
    world.lwa.codes["S1"], world.lwa.secret = "Atzr|new", "older"
    world.applications.previous = SecretStr("older")
    assert await world.authorizations.complete(returned(begun), "")


async def test_replayed_tampered_and_invented_states_are_refused(world: AuthorizationWorld) -> None:
    begun = await world.authorizations.start(REQUEST, "u1")
    world.lwa.codes.update({"S1": "Atzr|1", "S2": "Atzr|2"})
    await world.authorizations.complete(returned(begun), "")
    stored = dict(world.sellers.stored)
    for state in (begun.state.get_secret_value(), begun.state.get_secret_value() + "x", "invented", ""):
        await refused(
            world, AuthorizationCallback(SecretStr(state), begun.browser_nonce, SecretStr("S2"), "A1SELLER"), "state"
        )
    assert world.sellers.stored == stored
    assert "S2" in world.lwa.codes, "no code was redeemed"


async def test_an_expired_state_is_refused_by_the_service_clock(world: AuthorizationWorld) -> None:
    for pause in (0.0, 60.0):
        begun = await world.authorizations.start(REQUEST, "u1")
        pending, _ = world.states.entries[begun.state.get_secret_value()]
        world.states.entries[begun.state.get_secret_value()] = pending, world.now[0] + 1e9
        world.now[0] += STATE_SECONDS + pause
        await refused(world, returned(begun), "state")


async def test_another_browser_is_refused_without_a_change_of_the_state(world: AuthorizationWorld) -> None:
    for nonce in ("", "guessed", "random-99"):
        world.lwa.codes["S1"] = "Atzr|1"
        begun = await world.authorizations.start(REQUEST, "u1")
        await refused(world, replace(returned(begun), browser_nonce=SecretStr(nonce)), "browser_nonce")
        assert await world.authorizations.complete(returned(begun), "")
        await refused(world, replace(returned(begun), browser_nonce=SecretStr(nonce)), "browser_nonce")
    first, second = [await world.authorizations.start(replace(REQUEST, user_id=user), user) for user in ("u1", "u2")]
    await refused(world, replace(returned(second), browser_nonce=first.browser_nonce), "browser_nonce")


async def test_another_user_or_seller_than_the_appstore_named_is_refused(world: AuthorizationWorld) -> None:
    world.lwa.codes["S1"] = "Atzr|1"
    begun = await world.authorizations.start(REQUEST, "u1")
    with pytest.raises(InvalidRequest):
        await world.authorizations.complete(returned(begun), "u2")
    assert await world.authorizations.complete(returned(begun), "u1")
    with pytest.raises(InvalidRequest):
        await world.authorizations.complete(returned(begun), "u2")
    begun = await world.authorizations.start(APPSTORE, "u1")
    await refused(world, returned(begun, seller="A2OTHER"), "selling_partner_id")
    world.lwa.codes["S1"] = "Atzr|2"
    assert await world.authorizations.complete(returned(begun), "")


async def test_a_refused_code_stores_nothing_and_ends_the_state(world: AuthorizationWorld) -> None:
    world.lwa.codes["S1"] = "Atzr|1"
    await world.authorizations.complete(returned(await world.authorizations.start(REQUEST, "u1")), "")
    stored = dict(world.sellers.stored)
    begun = await world.authorizations.start(REQUEST, "u1")
    with pytest.raises(InvalidRequest) as caught:
        await world.authorizations.complete(returned(begun), "")
    assert [violation.field for violation in caught.value.violations] == ["code"]
    with pytest.raises(InvalidRequest):
        await world.authorizations.complete(returned(begun), "")
    assert world.sellers.stored == stored


@pytest.mark.parametrize(
    "refusal", [PreconditionFailed.revoked(), Unavailable("LWA is down", reason=Reason.AMAZON_UNAVAILABLE)]
)
async def test_a_new_token_that_does_not_work_keeps_the_stored_one(
    world: AuthorizationWorld, refusal: SellergateError
) -> None:
    world.lwa.codes.update({"S1": "Atzr|old", "S2": "Atzr|new"})
    await world.authorizations.complete(returned(await world.authorizations.start(REQUEST, "u1")), "")
    world.lwa.refused = refusal
    with pytest.raises(type(refusal)):
        await world.authorizations.complete(returned(await world.authorizations.start(REQUEST, "u1"), "S2"), "")
    (kept,) = world.sellers.stored.values()
    assert kept.refresh_token == SecretStr("Atzr|old")
    world.lwa.refused = None
    world.lwa.codes["S3"] = ""
    with pytest.raises(Unavailable):
        await world.authorizations.complete(returned(await world.authorizations.start(REQUEST, "u1"), "S3"), "")
    (kept,) = world.sellers.stored.values()
    assert kept.refresh_token == SecretStr("Atzr|old")
    assert world.lwa.codes == {}


async def test_another_users_account_of_the_seller_is_not_changed(world: AuthorizationWorld) -> None:
    for user in ("u1", "u2"):
        world.lwa.codes["S1"] = f"Atzr|{user}"
        begun = await world.authorizations.start(replace(REQUEST, user_id=user), user)
        await world.authorizations.complete(returned(begun), "")
    assert {key[0]: one.refresh_token.get_secret_value() for key, one in world.sellers.stored.items()} == {
        "u1": "Atzr|u1",
        "u2": "Atzr|u2",
    }


async def test_without_redis_no_authorization_starts_or_completes(world: AuthorizationWorld) -> None:
    begun = await world.authorizations.start(REQUEST, "u1")
    world.states.down = Unavailable("Redis does not respond")
    with pytest.raises(Unavailable):
        await world.authorizations.start(REQUEST, "u1")
    with pytest.raises(Unavailable):
        await world.authorizations.complete(returned(begun), "")
    assert not world.lwa.seen


async def refused(world: AuthorizationWorld, back: AuthorizationCallback, field: str) -> None:
    """Assert that the call is refused by `field` before any secret is opened."""
    opened, stored = world.applications.opened, dict(world.sellers.stored)
    with pytest.raises(InvalidRequest) as caught:
        await world.authorizations.complete(back, "")
    assert [violation.field for violation in caught.value.violations] == [field]
    assert (world.applications.opened, world.sellers.stored) == (opened, stored)
