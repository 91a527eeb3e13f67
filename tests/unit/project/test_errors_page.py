"""The error classes that docs/errors.md names, and those that the client library exports, are the same."""

import re

import sellergate_client
from sellergate_common import errors
from sellergate_common.settings import SettingsError
from sellergate_edge.routes.problems import HTTP_REASONS

from tests.paths import ROOT

PAGE = (ROOT / "docs" / "errors.md").read_text()
ROW = re.compile(r"^\| `[A-Z_]+` \| `(\w+)` \|", re.MULTILINE)


def test_every_class_of_the_page_is_exported() -> None:
    named = set(ROW.findall(PAGE))
    assert named == {rule.error.__name__ for rule in errors.RULES.values()}
    assert named | {"SellergateError", "SettingsError", "Reason"} <= set(sellergate_client.__all__)


def test_every_error_class_is_exported_and_named() -> None:
    classes = {
        name
        for name, found in vars(errors).items()
        if isinstance(found, type) and issubclass(found, errors.SellergateError) and found is not errors.SellergateError
    }
    assert classes <= set(sellergate_client.__all__)
    for name in sellergate_client.__all__:
        found = getattr(sellergate_client, name)
        if isinstance(found, type) and issubclass(found, Exception):
            assert f"`{name}`" in PAGE, name
    assert sellergate_client.SettingsError is SettingsError


def test_the_reasons_of_http_itself_are_on_the_page() -> None:
    for status, reason in HTTP_REASONS.items():
        assert re.search(rf"^\| {status} \| `{reason}` \|", PAGE, re.MULTILINE), reason
