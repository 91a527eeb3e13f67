"""The OpenAPI document is made once, in a thread, so that no other request waits for it."""

import asyncio
import threading
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sellergate_edge import openapi


async def test_the_document_is_made_once_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[threading.Thread] = []
    plain = openapi.get_openapi

    def noted(**given: Any) -> dict[str, Any]:
        made.append(threading.current_thread())
        return plain(**given)

    monkeypatch.setattr(openapi, "get_openapi", noted)
    app = FastAPI(openapi_url=None)
    app.router.routes.append(openapi.route(app))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
        responses = await asyncio.gather(*(client.get("/openapi.json") for _ in range(3)))
    assert {response.status_code for response in responses} == {200}
    assert responses[0].json()["openapi"].startswith("3.")
    assert len(made) == 1
    assert made[0] is not threading.current_thread()
