"""Arguments that the methods of SellingPartner refuse before anything is sent."""

from typing import Any

import pytest
from sellergate_client import SellingPartner
from sellergate_client import sync as without_await
from sellergate_client.sync.loops import EventLoop


@pytest.mark.parametrize("method", ["post", "put", "patch"])
@pytest.mark.parametrize("unnamed", [({"reportType": "X"},), ({}, {"reportType": "X"}), ([{"op": "add"}],)])
async def test_a_write_takes_body_and_query_only_by_name(method: str, unnamed: tuple[Any, ...]) -> None:
    partner: Any = SellingPartner("a")
    with pytest.raises(TypeError) as caught:
        await getattr(partner, method)("/reports/2021-06-30/reports", *unnamed)
    assert f"{method}(path, json=…)" in str(caught.value)
    assert f"{method}(path, params=…)" in str(caught.value)


@pytest.mark.parametrize("method", ["post", "put", "patch"])
def test_the_synchronous_client_does_the_same(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    partner: Any = without_await.SellingPartner("a")
    loop = EventLoop()
    monkeypatch.setattr(partner, "_running", loop)
    try:
        with pytest.raises(TypeError, match="json="):
            getattr(partner, method)("/reports/2021-06-30/reports", {"reportType": "X"})
    finally:
        loop.close()
