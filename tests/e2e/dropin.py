"""A user's client for SDKs, and programs with SDKs that use it."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from typing import Any

import httpx
from sellergate_devstack.suite import Suite

from tests.e2e.conftest import Rest
from tests.paths import ROOT

SDKS = ROOT / "tests" / "sdks"
TOKEN = "/auth/o2/token"


@dataclass(frozen=True)
class DropIn:
    """The credentials of an SDK: Sellergate's client id and secret, and a drop-in refresh token."""

    url: str
    client_id: str
    client_secret: str
    handle: str

    @classmethod
    async def made(cls, rest: Rest, user: str, *account_ids: str) -> "DropIn":
        response = await rest.request(
            "POST", "/api/amazon/clients", user, json={"name": "sdk", "accountIds": list(account_ids)}
        )
        assert response.status_code == 201, response.text
        made = response.json()
        rest.responses.pop()  # the only response with secrets, all of them Sellergate's
        return cls(rest.suite.edge, made["clientId"], made["clientSecret"], made["handles"][0]["handle"])

    def form(self, **changes: str) -> dict[str, str]:
        """Return the form that exchanges the drop-in refresh token; an empty value omits a field."""
        fields = {
            "grant_type": "refresh_token",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "refresh_token": self.handle,
            **changes,
        }
        return {name: value for name, value in fields.items() if value}

    async def exchange(self, client: httpx.AsyncClient, **changes: str) -> httpx.Response:
        return await client.post(TOKEN, data=self.form(**changes))

    async def token(self, client: httpx.AsyncClient, **changes: str) -> str:
        response = await self.exchange(client, **changes)
        assert response.status_code == 200, response.text
        return str(response.json()["access_token"])

    async def run(self, *command: str, seconds: float = 50, **variables: str) -> Any:
        """Run a program with an SDK; return what it prints."""
        environment = {
            "PATH": os.environ["PATH"],
            "SDK_URL": self.url.replace("localhost", "127.0.0.1"),
            "SDK_CLIENT_ID": self.client_id,
            "SDK_CLIENT_SECRET": self.client_secret,
            "SDK_HANDLE": self.handle,
            **variables,
        }
        process = await asyncio.create_subprocess_exec(
            *command,
            env=environment,
            cwd=SDKS,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(), seconds)
        finally:
            if process.returncode is None:
                process.kill()
        assert process.returncode == 0, err.decode()[-2000:]
        return json.loads(out)


def neighbour(suite: Suite, address: str) -> httpx.AsyncClient:
    """A client of the edge at another address of this machine: its failures are not counted for the other tests."""
    transport = httpx.AsyncHTTPTransport(local_address=address)
    return httpx.AsyncClient(base_url=suite.edge.replace("localhost", "127.0.0.1"), transport=transport, timeout=40)


def python(name: str, program: str) -> tuple[str, ...]:
    return sys.executable, f"{name}.py", program
