"""The client library of an internal service, asynchronous and synchronous."""

import asyncio
from pathlib import Path

import httpx
import pytest
from sellergate_client import InvalidRequest, NotFound, OutOfTime, Progress, Sellergate, SellingPartner
from sellergate_client import sync as without_await
from sellergate_devstack.suite import Suite

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller

ORDERS = "/orders/v0/orders"
LISTINGS = "GET_MERCHANT_LISTINGS_ALL_DATA"


@pytest.fixture
async def account_id(rest: Rest, seller: Seller, fast: None) -> str:
    return await rest.connect(seller)


@pytest.fixture
def environment(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Return the environment of an internal service."""
    files = suite.files("client/demo")
    for name, value in {
        "GATEWAY_TARGET": suite.target("gateway"),
        "ACCOUNT_TARGET": suite.target("account"),
        "TLS_CA_FILE": str(files.ca),
        "TLS_CERT_FILE": str(files.certificate),
        "TLS_KEY_FILE": str(files.key),
    }.items():
        monkeypatch.setenv(f"SELLERGATE_{name}", value)


def wanted(size: int = 10) -> dict[str, object]:
    return {"MarketplaceIds": ["ATVPDKIKX0DER"], "CreatedAfter": "2026-01-01T00:00:00Z", "MaxResultsPerPage": size}


@pytest.mark.usefixtures("environment")
async def test_one_seller_asynchronously(account_id: str, tmp_path: Path) -> None:
    async with SellingPartner(account_id, seconds=20) as partner:
        response = await partner.get("/sellers/v1/marketplaceParticipations")
        assert response.json()["payload"]
        pages = [len(page.json()["payload"]["Orders"]) async for page in partner.pages(ORDERS, wanted())]
        assert pages == [10, 10, 10]
        assert [page.status async for page in partner.pages(ORDERS, wanted(), max_pages=1)] == [200]
        seen: list[Progress] = []
        report = partner.report(LISTINGS, on_progress=seen.append)
        size = await report.save(tmp_path / "listings.txt")
        assert size == (tmp_path / "listings.txt").stat().st_size == seen[-1].received
        assert (seen[-1].status, report.report_id) == ("DONE", seen[0].report_id)
        again = await partner.report(resume=report.report_id).read()
        assert again == (tmp_path / "listings.txt").read_bytes()
        document = await partner.upload(b'{"messages": []}', "application/json; charset=UTF-8")
        made = await partner.post(
            "/feeds/2021-06-30/feeds",
            json={
                "feedType": "JSON_LISTINGS_FEED",
                "marketplaceIds": ["ATVPDKIKX0DER"],
                "inputFeedDocumentId": document,
            },
        )
        assert made.json()["feedId"]
        for call in (partner.put, partner.patch):
            wanted_in = {"marketplaceIds": ["ATVPDKIKX0DER"]}
            done = await call("/listings/2021-08-01/items/S/sku-1", params=wanted_in, json={"x": 1})
            assert done.status == 200
        assert (await partner.delete("/reports/2021-06-30/schedules/1")).status == 200
        with pytest.raises(InvalidRequest):
            await partner.get("no-slash")
        assert list(tmp_path.iterdir()) == [tmp_path / "listings.txt"]
        rows = [row async for row in partner.report(resume=report.report_id).rows({"quantity": int})]
        assert rows
        assert all(isinstance(row["quantity"], int | None) for row in rows)


@pytest.mark.usefixtures("environment")
async def test_an_operation_by_its_name_and_a_feed_to_its_result(account_id: str) -> None:
    async with SellingPartner(account_id, seconds=20) as partner:
        response = await partner.call_operation("getMarketplaceParticipations")
        assert response.operation.endswith("/getMarketplaceParticipations")
        deleted = await partner.call_operation("cancelReportSchedule", {"reportScheduleId": "1"})
        assert deleted.status == 200
        with pytest.raises(NotFound):
            await partner.call_operation("noSuchOperation")
        with pytest.raises(TypeError, match="did you mean max_wait"):
            await partner.get(ORDERS, max_wiat=0)  # type: ignore[call-arg]
        feed = await partner.feed("JSON_LISTINGS_FEED", b'{"messages": []}', "application/json; charset=UTF-8")
        assert feed.status == "DONE"
        assert b"summary" in await partner.feed_result(feed).read()
        with pytest.raises(OutOfTime) as caught:
            await partner.wait_for_feed(await other_feed(partner), seconds=0.0)
        assert caught.value.metadata["feed_id"]


async def other_feed(partner: SellingPartner) -> str:
    content = b'{"messages": []}'
    return (await partner.feed("JSON_LISTINGS_FEED", content, "application/json; charset=UTF-8", wait=False)).feed_id


@pytest.mark.usefixtures("environment")
async def test_the_synchronous_client_does_the_same(account_id: str, tmp_path: Path) -> None:
    def program() -> None:
        with without_await.SellingPartner(account_id, seconds=20) as partner:
            assert partner.get("/sellers/v1/marketplaceParticipations").json()["payload"]
            assert [len(page.json()["payload"]["Orders"]) for page in partner.pages(ORDERS, wanted())] == [10, 10, 10]
            first = next(iter(partner.pages(ORDERS, wanted())))
            assert first.status == 200
            report = partner.report(LISTINGS)
            assert report.save(tmp_path / "listings.txt") > 100
            assert b"".join(partner.report(resume=report.wrapped.report_id)) == (tmp_path / "listings.txt").read_bytes()
            assert partner.upload(tmp_path / "listings.txt", "text/plain; charset=UTF-8")
            with pytest.raises(InvalidRequest):
                partner.post("no-slash")
        with pytest.raises(RuntimeError, match="Enter the SellingPartner first"):
            partner.get(ORDERS)
        with without_await.SellingPartner("nobody") as partner, pytest.raises(NotFound):
            partner.get(ORDERS)

    await asyncio.to_thread(program)


async def test_an_interrupted_save_leaves_no_file(
    client: Sellergate, account_id: str, control: httpx.AsyncClient, tmp_path: Path
) -> None:
    async with SellingPartner(account_id, sellergate=client) as partner:
        with pytest.raises(NotFound):
            await SellingPartner("nobody", sellergate=client).report(LISTINGS).save(tmp_path / "x")

        def leave(progress: Progress) -> None:
            if progress.received:
                raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await partner.report(LISTINGS, on_progress=leave).save(tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


async def test_a_slow_read_is_hedged_at_another_replica(client: Sellergate, account_id: str) -> None:
    response = await client.call(account_id, "GET", "/sellers/v1/marketplaceParticipations", hedge_after=0.5)
    assert response.status == 200
