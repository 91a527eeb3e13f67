"""The table of marketplaces: complete, unambiguous, found by code and by id."""

import dataclasses

import pytest
from sellergate_amazon.marketplaces import (
    EU,
    FE,
    MARKETPLACES,
    NA,
    REGIONS,
    Marketplace,
    Region,
    marketplace_by_code,
    marketplace_by_id,
)


@pytest.mark.parametrize("code", ["\u017fe", "\u0131t", "\uff35\uff33", "us ", "U\0S", ""])
def test_a_text_that_only_resembles_a_code_is_unknown(code: str) -> None:
    assert marketplace_by_code(code) is None


def test_twenty_three_marketplaces_with_ids_of_their_own() -> None:
    assert len(MARKETPLACES) == 23
    assert len({market.id for market in MARKETPLACES}) == 23
    assert len({market.code for market in MARKETPLACES}) == 23


def test_each_region_has_its_marketplaces() -> None:
    by_region = {region.name: {m.code for m in MARKETPLACES if m.region is region} for region in REGIONS}
    assert by_region["NA"] == {"CA", "US", "MX", "BR"}
    assert by_region["FE"] == {"SG", "AU", "JP"}
    assert len(by_region["EU"]) == 16


@pytest.mark.parametrize(
    ("region", "host", "signing_region"),
    [
        (NA, "sellingpartnerapi-na.amazon.com", "us-east-1"),
        (EU, "sellingpartnerapi-eu.amazon.com", "eu-west-1"),
        (FE, "sellingpartnerapi-fe.amazon.com", "us-west-2"),
    ],
)
def test_hosts_and_signing_regions(region: Region, host: str, signing_region: str) -> None:
    assert (region.host, region.signing_region) == (host, signing_region)
    assert region.sandbox_host == f"sandbox.{host}"


@pytest.mark.parametrize("code", ["UK", "GB", "uk", "gb", "Gb"])
def test_the_united_kingdom_has_two_codes_in_any_case(code: str) -> None:
    found = marketplace_by_code(code)
    assert found is not None
    assert (found.code, found.id) == ("UK", "A1F83G8C2ARO7P")


@pytest.mark.parametrize("market", MARKETPLACES, ids=lambda market: market.code)
def test_each_is_found_by_code_and_by_id(market: Marketplace) -> None:
    assert marketplace_by_code(market.code.lower()) is market
    assert marketplace_by_id(market.id) is market
    assert market.seller_central.startswith("sellercentral")
    vendors = "www.vendorcentral.in" if market.code == "IN" else "vendorcentral."
    assert market.vendor_central is None or market.vendor_central.startswith(vendors)


@pytest.mark.parametrize("text", ["", "XX", "USA", " US", "ATVPDKIKX0DER", "ß"])
def test_an_unknown_code_is_none(text: str) -> None:
    assert marketplace_by_code(text) is None


@pytest.mark.parametrize("text", ["", "US", "atvpdkikx0der", "ATVPDKIKX0DER "])
def test_an_unknown_id_is_none(text: str) -> None:
    assert marketplace_by_id(text) is None


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        NA.host = "elsewhere"
