"""The simulator as a separate process on ephemeral ports, for its contract tests."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx

US, CANADA, GERMANY, JAPAN = "ATVPDKIKX0DER", "A2EUQ1WTGCTBG2", "A1PA6795UKMFR9", "A1VC38T7YXB528"
ROLE_ARN = "arn:aws:iam::123456789012:role/SP-API-Role"
AWS_KEY_ID, AWS_SECRET = "AKIASIMULATORTEST001", "seeded-aws-secret"


@dataclass(frozen=True)
class Client:
    """One seller's authorization of one application, both created for one test, so that it shares no quota."""

    simulator: "Simulator"
    application_id: str
    client_id: str
    client_secret: str
    selling_partner_id: str
    refresh_token: str

    def exchange(self, **fields: str) -> httpx.Response:
        """Send an exchange to LWA; by default with the refresh grant."""
        form = {
            "grant_type": "refresh_token",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            **({} if "grant_type" in fields else {"refresh_token": self.refresh_token}),
            **fields,
        }
        return self.simulator.http.post(f"{self.simulator.main}/auth/o2/token", data=form)

    def access_token(self) -> str:
        """Return an access token for the seller."""
        return str(self.exchange().raise_for_status().json()["access_token"])

    def call(
        self, method: str, path: str, *, token: str | None = None, address: str = "na", **options: Any
    ) -> httpx.Response:
        """Call SP-API, with a new access token unless one is given."""
        headers = {"x-amz-access-token": token or self.access_token(), **options.pop("headers", {})}
        url = f"{self.simulator.url(address)}{path}"
        return self.simulator.http.request(method, url, headers=headers, **options)

    def restricted_token(self, *resources: dict[str, Any]) -> str:
        """Return a Restricted Data Token for these resources."""
        path = "/tokens/2021-03-01/restrictedDataToken"
        response = self.call("POST", path, json={"restrictedResources": list(resources)})
        return str(response.raise_for_status().json()["restrictedDataToken"])


@dataclass
class Simulator:
    """A running simulator."""

    ports: dict[str, int]
    process: "subprocess.Popen[str]"
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=20))
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def main(self) -> str:
        return self.url("main")

    def url(self, address: str) -> str:
        return f"http://127.0.0.1:{self.ports[address]}"

    def control(self, method: str, path: str, document: Any = None) -> httpx.Response:
        return self.http.request(method, f"{self.main}/control/{path}", json=document)

    def post_control(self, path: str, document: Any = None) -> Any:
        """Send a POST to the control API, which must accept it; return the response's document."""
        return self.control("POST", path, document).raise_for_status().json()

    def counters(self) -> Any:
        return self.control("GET", "counters").raise_for_status().json()

    def operation(self, name: str) -> dict[str, int]:
        return dict(self.counters()["operations"].get(name, {"calls": 0, "executions": 0, "throttled": 0}))

    def client(self, *marketplaces: str) -> Client:
        """Seed a new application and a new seller that authorized it."""
        n = next(self._numbers)
        client = Client(self, f"app-{n}", f"client-{n}", f"secret-{n}", f"SELLER{n:03d}", f"Atzr|seeded-{n}")
        grant = {"client_id": client.client_id, "refresh_token": client.refresh_token}
        seller = {
            "selling_partner_id": client.selling_partner_id,
            "marketplace_ids": list(marketplaces or (US,)),
            "refresh_tokens": [grant],
        }
        names = ("application_id", "client_id", "client_secret")
        application = {name: getattr(client, name) for name in names}
        self.post_control("seed", {"applications": [application], "sellers": [seller]})
        return client


@contextmanager
def running_simulator(*, seed: Path | None = None, log_level: str = "info", stderr: Any = None) -> Iterator[Simulator]:
    """Start a simulator on ephemeral ports and stop it with SIGTERM; it must exit with code 0."""
    environment = {
        **os.environ,
        "SELLERGATE_SIMULATOR_PORT": "0",
        "SELLERGATE_SIMULATOR_LOG_LEVEL": log_level,
        **({"SELLERGATE_SIMULATOR_SEED_FILE": str(seed)} if seed else {}),
    }
    command = [sys.executable, "-m", "sellergate_simulator"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line, "the simulator ended before it listened"
            simulator = Simulator(json.loads(line)["ports"], process)
            with simulator.http:
                yield simulator
        finally:
            process.terminate()
            code = process.wait(timeout=5)
    assert code == 0, f"the simulator ended with {code}"
