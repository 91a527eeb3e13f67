"""Idempotency keys of REST: every write takes one, documents it, and refuses an invalid one."""

import pytest
from fastapi import FastAPI

from tests.contract.test_rest_api import TOKEN, app, send_request

__all__ = ["app"]

WRITES = (
    ("POST", "/api/amazon/accounts", {"json": {"amazonSellerId": "A1B2C3D4E5", "marketplace": "US"}}),
    ("PATCH", "/api/amazon/accounts/a", {"json": {"sandbox": True}}),
    ("DELETE", "/api/amazon/accounts/a", {}),
    ("POST", "/api/amazon/clients", {"json": {"name": "n", "accountIds": ["a"]}}),
    ("DELETE", "/api/amazon/clients/c", {}),
)


@pytest.mark.parametrize("key", ["", "short", "x" * 65, "0b1c9e1a-1f5e-4d0e 9a55", '"0b1c9e1a-1f5e-4d0e-9a55'])
async def test_every_write_refuses_an_invalid_idempotency_key(app: FastAPI, key: str) -> None:
    for method, path, given in WRITES:
        headers = {"authorization": f"Bearer {TOKEN}", "idempotency-key": key}
        response = await send_request(app, method, path, headers=headers, **given)
        assert response.status_code == 400, (method, path)
        assert [violation["field"] for violation in response.json()["violations"]] == ["Idempotency-Key"]


def test_every_write_documents_its_idempotency_key(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    for path, methods in paths.items():
        if not path.startswith(("/api/amazon/accounts", "/api/amazon/clients")) or "sp-api" in path:
            continue
        if path.endswith("/verify"):
            continue  # it stores nothing of the request, and a repeat makes no second exchange within 60 s
        if path.endswith("/capture"):
            assert "post" not in methods  # PUT and DELETE, whose repeats are the same capture and none
            continue
        for method, operation in methods.items():
            names = {parameter["name"] for parameter in operation.get("parameters", ())}
            assert ("Idempotency-Key" in names) is (method != "get"), (method, path)
