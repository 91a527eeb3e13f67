"""The files of Swagger UI are compressed once, in a thread, since any client may fetch them at any rate."""

import asyncio
import gzip
import threading
from typing import Any

import httpx
import pytest
from sellergate_edge import docs_page
from starlette.applications import Starlette

BUNDLE = "/docs/swagger-ui-bundle.js"


async def test_a_file_is_compressed_once_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    packed: list[threading.Thread] = []
    plain = gzip.compress

    def noted(data: bytes, *given: Any) -> bytes:
        packed.append(threading.current_thread())
        return plain(data, *given)

    monkeypatch.setattr(docs_page.gzip, "compress", noted)
    app = Starlette(routes=docs_page.routes())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
        responses = await asyncio.gather(*(client.get(BUNDLE) for _ in range(3)))
        plainly = await client.get(BUNDLE, headers={"Accept-Encoding": "identity"})
        unknown = await client.get("/docs/unknown.js")
    assert len(packed) == 1
    assert packed[0] is not threading.current_thread()
    assert {response.headers["content-encoding"] for response in responses} == {"gzip"}
    assert "content-encoding" not in plainly.headers
    assert plainly.content == responses[0].content
    assert len(plainly.content) > 1_000_000
    assert unknown.status_code == 404
