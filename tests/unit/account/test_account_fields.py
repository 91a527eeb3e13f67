"""The shape of labels, which is that of Kubernetes, and the reference that only one account of a user has."""

import pytest
from pydantic import SecretStr
from sellergate_account.account_fields import check_labels, check_ref_is_free
from sellergate_common.errors import InvalidRequest

from tests.contract.ports.test_account_store import account
from tests.fakes.account import FakeUnitOfWork

GOOD = {
    "tier": "gold",
    "acme.example/team": "",
    "a": "1",
    "x" * 63: "y" * 63,
    "A.b_c-d/e": "A.b_c-d",
}


def test_labels_like_those_of_kubernetes_are_accepted() -> None:
    check_labels(GOOD)
    check_labels({})
    check_labels(None)


@pytest.mark.parametrize(
    ("key", "value", "field"),
    [
        ("", "gold", "labels"),
        ("x" * 64, "gold", "labels"),
        ("-tier", "gold", "labels"),
        ("tier-", "gold", "labels"),
        ("ti er", "gold", "labels"),
        ('ti"er', "gold", "labels"),
        ("tiér", "gold", "labels"),
        ("tier", "y" * 64, "labels[tier]"),
        ("tier", "gold ", "labels[tier]"),
        ("tier", "a/b", "labels[tier]"),
        ("tier", "gold\n", "labels[tier]"),
    ],
)
def test_a_label_of_another_shape_is_refused_by_its_key(key: str, value: str, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_labels({**GOOD, key: value})
    (violation,) = caught.value.violations
    assert violation.field == field
    assert "letter or digit" in violation.description


async def test_a_reference_is_free_for_its_own_account_and_for_other_users() -> None:
    work = FakeUnitOfWork()
    taken = account("a", external_ref="4711")
    await work.accounts.add(taken, SecretStr("Atzr|1"))
    for free in (taken, account("b"), account("b", user="u2", external_ref="4711"), account("b", external_ref="4712")):
        await check_ref_is_free(work.accounts, free)
    with pytest.raises(InvalidRequest) as caught:
        await check_ref_is_free(work.accounts, account("b", external_ref="4711"))
    assert caught.value.violations[0].field == "external_ref"
    assert "account a;" in caught.value.message
