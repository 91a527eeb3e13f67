"""The rules of an account's single fields: marketplaces, the caller's own reference, and labels."""

import re
from collections.abc import Mapping

from sellergate_amazon.marketplaces import MARKETPLACES, marketplace_by_code, marketplace_by_id
from sellergate_common.errors import FieldViolation, InvalidRequest

from sellergate_account.model import Account
from sellergate_account.ports.repositories import AccountRepository

MAX_LABELS = 16
_KEY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?")
_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
_ENDS = "and begin and end with a letter or digit"
_MAX_SHOWN = 80


def marketplace_code(given: str, field: str) -> str:
    """Return the canonical code of a marketplace. Raises InvalidRequest, which lists the codes."""
    marketplace = marketplace_by_code(given)
    if marketplace is None:
        codes = ", ".join(sorted(known.code for known in MARKETPLACES))
        raise InvalidRequest.of_field(field, f"must be the code of a marketplace, one of {codes}")
    return marketplace.code


def check_marketplace_ids(ids: tuple[str, ...] | None, field: str = "marketplace_ids") -> None:
    """Raise InvalidRequest for the first id that is unknown or repeated."""
    seen: set[str] = set()
    for index, marketplace_id in enumerate(ids or ()):
        if marketplace_by_id(marketplace_id) is None:
            raise InvalidRequest.of_field(f"{field}[{index}]", "must be a marketplace id, as in ATVPDKIKX0DER")
        if marketplace_id in seen:
            raise InvalidRequest.of_field(f"{field}[{index}]", "is repeated; name each marketplace once")
        seen.add(marketplace_id)


def check_labels(labels: Mapping[str, str] | None, field: str = "labels") -> None:
    """Raise InvalidRequest, which names every key or value of another shape."""
    found = []
    for key, value in sorted((labels or {}).items()):
        if not _KEY.fullmatch(key):
            words = f"the key {key[:_MAX_SHOWN]!r} must have 1 to 63 letters, digits, '-', '_', '.' and '/', {_ENDS}"
            found.append(FieldViolation(field, words))
        elif not _VALUE.fullmatch(value):
            words = f"must have at most 63 letters, digits, '-', '_' and '.', {_ENDS}"
            found.append(FieldViolation(f"{field}[{key}]", words))
    if found:
        words = "; ".join(f"{violation.field}: {violation.description}" for violation in found)
        raise InvalidRequest(words, violations=found)


async def check_ref_is_free(accounts: AccountRepository, account: Account) -> None:
    """Raise InvalidRequest where another account of the same user has this account's external_ref."""
    if not account.external_ref:
        return
    holder = await accounts.find_holder(account.user_id, account.external_ref)
    if holder not in (None, account.account_id):
        raise InvalidRequest.of_field(
            "external_ref",
            f"is the reference of the user's account {holder}; choose another one, or change that account first",
        )
