"""The centrals of all marketplaces, and the recognition of their URLs."""

import pytest
from sellergate_amazon.marketplaces import MARKETPLACES, Marketplace, marketplace_by_code
from sellergate_amazon.seller_central import SellerCentral, with_query

AMAZON = SellerCentral()
LOCAL = SellerCentral("http://127.0.0.1:3900/", "http://127.0.0.1:3900")


@pytest.mark.parametrize("marketplace", MARKETPLACES, ids=lambda marketplace: marketplace.code)
def test_every_marketplace_has_a_seller_central_and_most_a_vendor_central(marketplace: Marketplace) -> None:
    assert AMAZON.of(marketplace, vendor=False) == f"https://{marketplace.seller_central}"
    vendor = AMAZON.of(marketplace, vendor=True)
    assert vendor == (None if marketplace.code in {"IE", "ZA"} else f"https://{marketplace.vendor_central}")
    assert LOCAL.of(marketplace, vendor=False) == "http://127.0.0.1:3900"
    assert (LOCAL.of(marketplace, vendor=True) is None) == (vendor is None)


@pytest.mark.parametrize("marketplace", MARKETPLACES, ids=lambda marketplace: marketplace.code)
def test_the_confirm_page_of_every_central_is_amazons(marketplace: Marketplace) -> None:
    for vendor in (False, True):
        base = AMAZON.of(marketplace, vendor=vendor)
        assert base is None or AMAZON.own(f"{base}/apps/authorize/confirm/amzn1.sellerapps.app.0a1b-2c")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://sellercentral.amazon.com",
        "https://sellercentral.amazon.com/",
        "https://sellercentral.amazon.com/apps/authorize",
        "https://sellercentral.amazon.com/apps/authorize/",
        "https://sellercentral.amazon.com/gp/redirect",
        "http://sellercentral.amazon.com/apps/authorize/confirm/x",
        "https://sellercentral.amazon.com:443/apps/authorize/confirm/x",
        "https://sellercentral.amazon.com:8443/apps/authorize/confirm/x",
        "https://user@sellercentral.amazon.com/apps/authorize/confirm/x",
        "https://sellercentral.amazon.com@evil.example/apps/authorize/confirm/x",
        "https://evil.example/apps/authorize/confirm/x",
        "https://evil.example#@sellercentral.amazon.com/apps/authorize/confirm/x",
        "https://evil.example\\@sellercentral.amazon.com/apps/authorize/confirm/x",
        "https://sellercentral.amazon.com.evil.example/apps/authorize/confirm/x",
        "https://notsellercentral.amazon.com/apps/authorize/confirm/x",
        "https://xsellercentral.amazon.com/apps/authorize/confirm/x",
        "https://amazon.com/apps/authorize/confirm/x",
        "https://sellercentral.amazon.com./apps/authorize/confirm/x",
        "https://SELLERCENTRAL.amazon.com/apps/authorize/confirm/x",
        "https://sellercentral.amazon.com/apps/authorize/../redirect",
        "https://sellercentral.amazon.com/apps/authorize/%2e%2e/redirect",
        "https://sellercentral.amazon.com/apps/authorize/confirm/x?next=https://evil.example",
        "https://sellercentral.amazon.com/apps/authorize/confirm/x#y",
        "https://sellercentral.amazon.com/apps/authorize/confirm/x\n",
        " https://sellercentral.amazon.com/apps/authorize/confirm/x",
        "//sellercentral.amazon.com/apps/authorize/confirm/x",
        "javascript:alert(1)//sellercentral.amazon.com/apps/authorize/confirm/x",
        "http://127.0.0.1:3900/apps/authorize/confirm/x",
    ],
)
def test_nothing_else_is_amazons(url: str) -> None:
    assert not AMAZON.own(url)


def test_a_local_central_takes_the_place_of_amazons() -> None:
    assert LOCAL.own("http://127.0.0.1:3900/apps/authorize/confirm/x")
    for other in ("http://127.0.0.1:3901", "http://localhost:3900", "https://127.0.0.1:3900", "http://127.0.0.1"):
        assert not LOCAL.own(f"{other}/apps/authorize/confirm/x")
    assert not LOCAL.own("https://sellercentral.amazon.com/apps/authorize/confirm/x")


def test_a_query_is_percent_encoded_whole() -> None:
    assert with_query("https://a/b", x="https://c/?d=e&f", y="g h+i/ü") == (
        "https://a/b?x=https%3A%2F%2Fc%2F%3Fd%3De%26f&y=g%20h%2Bi%2F%C3%BC"
    )


def test_the_united_kingdom_shares_the_european_seller_central() -> None:
    uk = marketplace_by_code("GB")
    assert uk is not None
    assert AMAZON.of(uk, vendor=False) == "https://sellercentral-europe.amazon.com"
    assert AMAZON.of(uk, vendor=True) == "https://vendorcentral.amazon.co.uk"
