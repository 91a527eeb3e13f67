"""The buckets of a call, and their names."""

import base64

import pytest
from sellergate_amazon.operations import Catalogue
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.sites import Site, Sites
from sellergate_gateway.model import Account
from sellergate_gateway.quota.buckets import CAUTIOUS_RATE, Buckets, shape_of

RING = KeyRing.parse("k1 " + base64.urlsafe_b64encode(b"x" * 64).decode())
CATALOGUE = Catalogue.load()


def account(**changes: str) -> Account:
    plain = {
        "account_id": "a1",
        "user_id": "u",
        "application_id": "app",
        "amazon_seller_id": "SELLER",
        "marketplace": "US",
        "region": "us-east-1",
        "iam_role_arn": "",
        "signing": "AUTO",
        "state": "ACTIVE",
    }
    return Account(**{**plain, **changes}, sandbox=False, revision=1)  # type: ignore[arg-type]


def site(marketplace: str = "US", *, sandbox: bool = False) -> Site:
    urls = {"NA": "https://na", "EU": "https://eu", "FE": "https://fe"}
    return Sites(urls, urls).of(marketplace, sandbox=sandbox)


def test_a_seller_has_a_bucket_for_each_operation() -> None:
    made = Buckets(RING, 0.2)
    operation = CATALOGUE.get("orders/v0/getOrder")
    assert operation is not None
    assert (operation.rate, operation.burst) == (0.5, 30)
    interactive = made.of(account(), site(), operation, background=False)
    assert (interactive.primary.rate, interactive.primary.burst, interactive.others) == (0.5, 30, ())
    assert interactive.first_stage is None
    background = made.of(account(), site(), operation, background=True)
    assert background.primary == interactive.primary
    stage = background.first_stage
    assert stage is not None
    assert (stage.rate, stage.burst, stage.share, stage.learns) == (pytest.approx(0.4), 24, 0.8, True)
    assert stage.key == interactive.primary.key + ":batch"


def test_an_application_has_a_bucket_if_amazon_limits_it() -> None:
    made = Buckets(RING, 0.2)
    operation = CATALOGUE.get("listings-items/2021-08-01/patchListingsItem")
    found = made.of(account(), site(), operation, background=True)
    (whole,) = found.others
    assert (found.primary.rate, whole.rate, found.first_stage and found.first_stage.rate) == (5.0, 500.0, 4.0)
    assert not whole.learns
    assert made.of(account(amazon_seller_id="OTHER"), site(), operation, background=False).others == (whole,)
    # With accounts of a thousand invented sellers, a user would empty it for all others while Amazon's own is full.
    assert made.of(account(user_id="v"), site(), operation, background=False).others != (whole,)
    assert made.of(account(), site(sandbox=True), operation, background=False).others == ()


def test_each_pair_region_and_operation_has_its_own_bucket() -> None:
    made = Buckets(RING, 0.2)
    first, second = CATALOGUE.get("orders/v0/getOrder"), CATALOGUE.get("orders/v0/getOrders")
    keys = {
        made.of(changed, where, what, background=False).primary.key
        for changed in (
            account(),
            account(user_id="v"),
            account(amazon_seller_id="OTHER"),
            account(application_id="other"),
        )
        for where in (site(), site("DE"))
        for what in (first, second, None)
    }
    assert len(keys) == 4 * 2 * 3
    # Two accounts of a user's seller in one region are one selling partner for Amazon.
    other = made.of(account(account_id="a2", marketplace="CA"), site("CA"), first, background=False)
    assert other.all == made.of(account(), site(), first, background=False).all


def test_only_grantless_calls_share_a_bucket_of_the_application() -> None:
    made = Buckets(RING, 0.2)
    operation = CATALOGUE.get("notifications/v1/getDestinations")
    own, other = (made.of(account(user_id=user), site(), operation, background=False).all for user in ("u", "v"))
    assert own != other, "with a seller's token the operation counts for that seller"
    grantless = made.of(account(user_id="u"), site(), operation, background=False, grantless=True).all
    assert grantless not in (own, other)
    another = account(user_id="v", amazon_seller_id="B")
    assert made.of(another, site(), operation, background=False, grantless=True).all == grantless


def test_the_sandbox_has_one_bucket() -> None:
    made = Buckets(RING, 0.2)
    first, second = CATALOGUE.get("orders/v0/getOrder"), CATALOGUE.get("orders/v0/getOrders")
    sandbox = {
        made.of(account(), site(sandbox=True), what, path, background=False).all
        for what, path in ((first, ""), (second, ""), (None, "GET /a"), (None, "GET /b"))
    }
    assert [(bucket.rate, bucket.burst) for (bucket,) in sandbox] == [(5.0, 15)]


def test_unknown_paths_have_a_bucket_for_each_shape_and_one_for_all() -> None:
    made = Buckets(RING, 0.2)

    def of(path: str) -> tuple[object, ...]:
        return made.of(account(), site(), None, path, background=False).all

    first, other = of("GET /orders/v9/orders/902-1"), of("POST /orders/v9/orders")
    assert first == of("GET /orders/v9/orders/902-2")
    assert first[0] != other[0]
    assert first[1] == other[1]
    primary = made.of(account(), site(), None, "GET /a", background=False).primary
    assert (primary.rate, primary.burst, primary.learns) == (CAUTIOUS_RATE, 1, True)


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("GET /orders/v0/orders/902-3159896-1390916", "GET /orders/v0/orders/*"),
        ("GET /reports/2021-06-30/reports?x=1", "GET /reports/2021-06-30/reports"),
        ("PUT /a/%41b/B0001/x_y-z", "PUT /a/*/*/x_y-z"),
        ("GET /" + "x" * 50, "GET /*"),
        ("GET /" + "/".join("a" * 30), "GET /" + "/".join("a" * 11)),
    ],
)
def test_the_shape_of_a_path(path: str, shape: str) -> None:
    assert shape_of(path) == shape


def test_names_reveal_nothing_and_share_a_cluster_slot() -> None:
    made = Buckets(RING, 0.2)
    keys = [bucket.key for bucket in made.of(account(), site(), None, background=True).all]
    assert not any(word in key for key in keys for word in ("SELLER", "app}", "a1"))
    assert len({key[key.index("{") : key.index("}")] for key in keys}) == 1
