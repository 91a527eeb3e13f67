"""Credentials that Amazon cannot have issued are refused with their field named, in every request that stores them."""

from datetime import UTC, datetime
from itertools import count

import pytest
from pydantic import SecretStr
from sellergate_account.accounts import Changes, Connection
from sellergate_account.applications import LwaClient, NewApplication
from sellergate_account.secrets.rotation import NewSecret
from sellergate_account.secrets.rules import check_credentials
from sellergate_common.errors import InvalidRequest

from tests.fakes.account import Domain, FakeStore

ID, SECRET, TOKEN = "amzn1.application-oa2-client.1a2b", "amzn1.oa2-cs.v1.3c4d", "Atzr|IwEB-_/+=."
BAD = [
    ("lwa_client_id", "amzn1.sp.solution.1a2b", "application's id"),
    ("lwa_client_id", "amzn1.sellerapps.app.1a2b", "application's id"),
    ("lwa_client_id", SECRET, "client secret"),
    ("lwa_client_id", TOKEN, "is a token"),
    ("lwa_client_secret", ID, "is the LWA client id"),
    ("lwa_client_secret", "Atza|1", "is a token"),
    ("refresh_token", "Atza|1", "is an access token"),
    ("refresh_token", "Atz.sprdt|1", "Restricted Data Token"),
    ("refresh_token", ID, "is an id"),
    *(
        (field, form.format(good), why)
        for field, good in (("lwa_client_id", ID), ("lwa_client_secret", SECRET), ("refresh_token", TOKEN))
        for form, why in (
            (" {}", "blanks or line breaks around"),
            ("{}\n", "blanks or line breaks around"),
            ('"{}"', "quotes around"),
            ("'{}", "quotes around"),
            ("{}\u200b", "visible ASCII"),
            ("{} {{}}", "visible ASCII"),
        )
    ),
]


def refused(caught: pytest.ExceptionInfo[InvalidRequest], field: str, why: str, value: str) -> None:
    (violation,) = caught.value.violations
    assert (violation.field, why in violation.description) == (field, True)
    assert value not in repr(caught.value)


@pytest.mark.parametrize(("field", "value", "why"), BAD)
def test_a_refusal_names_the_field_and_omits_the_value(field: str, value: str, why: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_credentials({field: SecretStr(value)})
    refused(caught, field, why, value)


def test_values_of_amazon_are_accepted_and_all_bad_fields_are_named() -> None:
    check_credentials({"lwa_client_id": SecretStr(ID), "client_secret": SecretStr(SECRET), "refresh_token": None})
    check_credentials({"refresh_token": SecretStr(TOKEN), "lwa_client_secret": SecretStr("a1b2" * 16)})
    with pytest.raises(InvalidRequest) as caught:
        check_credentials({"lwa_client_id": SecretStr(" x"), "refresh_token": SecretStr("Atza|1")})
    assert [one.field for one in caught.value.violations] == ["lwa_client_id", "refresh_token"]


async def test_every_request_refuses_them_and_stores_nothing() -> None:
    ids = count(1)
    store = FakeStore()
    domain = Domain(store, lambda: datetime(2026, 11, 23, tzinfo=UTC), lambda: f"id-{next(ids)}", lambda: "external")
    client = LwaClient(SecretStr(ID), SecretStr(SECRET))
    account, _ = await domain.accounts.upsert(
        Connection("u1", "A1", "US", client=client, refresh_token=SecretStr(TOKEN))
    )
    application_id, access_token = account.application_id, SecretStr("Atza|1")
    attempts = {
        "lwa_client_id": [
            domain.accounts.upsert(
                Connection("u1", "A2", "US", client=LwaClient(SecretStr("amzn1.sp.solution.1"), None))
            ),
            domain.applications.create(NewApplication("", SecretStr(f'"{ID}"'), SecretStr(SECRET)), ""),
        ],
        "lwa_client_secret": [
            domain.accounts.update(account.account_id, "u1", Changes(client_secret=SecretStr(f"{SECRET}\n")), ""),
            domain.applications.create(NewApplication("", SecretStr(ID), SecretStr(ID)), ""),
        ],
        "client_secret": [domain.applications.rotate(application_id, "u1", NewSecret(SecretStr(f" {SECRET}")))],
        "refresh_token": [
            domain.accounts.upsert(Connection("u1", "A1", "US", application_id, refresh_token=access_token)),
            domain.accounts.update(account.account_id, "u1", Changes(refresh_token=access_token), ""),
            domain.accounts.rotate_refresh_token(account.account_id, account.revision, access_token),
        ],
    }
    for field, calls in attempts.items():
        for call in calls:
            with pytest.raises(InvalidRequest) as caught:
                await call
            assert [one.field for one in caught.value.violations] == [field]
    assert await domain.accounts.get(account.account_id, "u1") == account
