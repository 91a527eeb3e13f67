"""The SDKs' own test suites, directly against the simulator and through the drop-in endpoint: test by test the same.

The folders of their checkouts are named by AMAZON_SDK (github.com/amzn/selling-partner-api-sdk) and SALEWEAVER_SDK
(github.com/saleweaver/python-amazon-sp-api).
"""

import asyncio
import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sellergate_amazon.operations import Catalogue

from tests.e2e.conftest import Rest
from tests.e2e.dropin import SDKS, DropIn
from tests.e2e.sellers import Seller
from tests.system.conftest import Need

RANDOM_STRINGS = "rstr==3.2.2"  # which Amazon's suite imports
SECONDS = 600
# Each response has its own; the rest is added by the edge, and Amazon's front ends have their own.
OWN_OF_A_RESPONSE = frozenset({"date", "server", "x-amzn-requestid", "connection", "keep-alive"})
RESTRICTED = "/tokens/2021-03-01/restrictedDataToken"
# Amazon's 403 for a token that a call may not be made with, as for a seller's where a Restricted Data Token is required.
DENIED = "Access to requested resource is denied."
# The facts about a call's token in the simulator's echo.
OF_THE_TOKEN = frozenset({"restricted_data_token", "data_elements"})


@dataclass(frozen=True)
class Run:
    """One run of a suite: the selected tests, and the endpoint."""

    suite: str
    folder: Path
    tests: str
    samples: Path
    libraries: Path
    control: str
    sdk: DropIn
    login: str
    results: Path

    async def results_by_test(self) -> dict[str, Any]:
        """Run the suite; return outcome, error and exchanges of each test."""
        self.results.unlink(missing_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.libraries),
            "PYTHONPATH": os.pathsep.join(map(str, (self.folder, SDKS, self.libraries))),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "SDK_SUITE": self.suite,
            "SDK_URL": self.sdk.url,
            "SDK_LOGIN": self.login,
            "SDK_CONTROL": self.control,
            "SDK_SAMPLES": str(self.samples),
            "SDK_RESULTS": str(self.results),
            "SDK_CLIENT_ID": self.sdk.client_id,
            "SDK_CLIENT_SECRET": self.sdk.client_secret,
            "SDK_HANDLE": self.sdk.handle,
        }
        options = (
            "-q",
            "-c",
            os.devnull,
            "--rootdir",
            str(self.folder),
            "-p",
            "no:cacheprovider",
            "-p",
            "suite_plugin",
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "pytest", *options, self.tests),
            cwd=self.folder,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(SECONDS):
                output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        assert self.results.exists(), output.decode()[-3000:]
        found: dict[str, Any] = json.loads(self.results.read_text("utf-8"))
        return found


async def ways(run: Run, rest: Rest, seller: Seller, *, sandbox: bool) -> tuple[Run, Run]:
    """Return the run against the simulator, and that through the drop-in endpoint for an account without a role."""
    user = f"suite-{seller.seller_id}"
    body = {name: value for name, value in seller.connection(sandbox=sandbox).items() if name != "iamRoleArn"}
    connected = await rest.request("POST", "/api/amazon/accounts", user, json=body)
    assert connected.status_code == 201, connected.text
    main = urlsplit(rest.suite.simulator or "")
    amazon = f"http://127.0.0.1:{(main.port or 0) + (4 if sandbox else 1)}"
    direct = DropIn(amazon, seller.client_id, seller.client_secret, seller.refresh_token)
    own = await DropIn.made(rest, user, connected.json()["id"])
    edge = rest.suite.edge.replace("localhost", "127.0.0.1")
    return (
        replace(run, sdk=direct, login=f"http://127.0.0.1:{main.port}"),
        replace(run, sdk=replace(own, url=edge), login=edge),
    )


def differences(direct: dict[str, Any], dropin: dict[str, Any]) -> dict[str, str]:
    """Return what differs for the program, by test: outcome, status, body, or a header of Amazon's."""
    found = dict.fromkeys(set(direct) ^ set(dropin), "it ran only one way")
    for name in set(direct) & set(dropin):
        one, other = direct[name], dropin[name]
        if (one["outcome"], one["error"]) != (other["outcome"], other["error"]):
            found[name] = f"{one['outcome']} {one['error']} -> {other['outcome']} {other['error']}"
        elif len(one["exchanges"]) != len(other["exchanges"]):
            found[name] = f"{len(one['exchanges'])} -> {len(other['exchanges'])} exchanges"
        for first, second in zip(one["exchanges"], other["exchanges"], strict=False):
            for part in ("status", "body"):
                if first[part] != second[part]:
                    found.setdefault(name, f"{part} {first[part]} -> {second[part]}")
            there = {tuple(pair) for pair in second["headers"]}
            lost = [pair for pair in first["headers"] if pair[0] not in OWN_OF_A_RESPONSE and tuple(pair) not in there]
            if lost:
                found.setdefault(name, f"headers {lost} -> {sorted(there)}")
    return found


def reason_of(direct: dict[str, Any], dropin: dict[str, Any]) -> str:
    """Return the reason why a test may differ; empty: it may not.

    `refused`: it sends a seller's token where Amazon requires a grantless one, and gets 403 from both. `tokens`: Sellergate
    responds to createRestrictedDataToken, and checks the resources. `restricted`: it sends a seller's token for personal data,
    the gateway uses a Restricted Data Token instead, and that token explains the difference.
    """
    found, catalogue = set[str](), Catalogue.load()
    explained = token_explains(direct["exchanges"], dropin["exchanges"])
    for exchange in (*direct["exchanges"], *dropin["exchanges"]):
        match = catalogue.match(exchange["method"], exchange["path"])
        if exchange["path"] == RESTRICTED:
            found.add("tokens")
        elif match and match.operation.grantless_scope and exchange["status"] == 403:
            found.add("refused")
        else:
            found.add("restricted" if match and match.operation.restricted and explained else "")
    return found.pop() if len(found) == 1 else ""


def token_explains(direct: list[dict[str, Any]], dropin: list[dict[str, Any]]) -> bool:
    """Return whether only the token differs: Amazon refuses the SDK's, or the simulator reports the one that it received."""
    if len(direct) != len(dropin):
        return False
    return all(
        refuses_the_token(first) or (first["status"], content_of(first)) == (second["status"], content_of(second))
        for first, second in zip(direct, dropin, strict=True)
    )


def refuses_the_token(exchange: dict[str, Any]) -> bool:
    return exchange["status"] == 403 and DENIED.encode() in base64.b64decode(exchange["body"])


def content_of(exchange: dict[str, Any]) -> object:
    """Return the body of a response without an echo's facts about the token."""
    body = base64.b64decode(exchange["body"])
    try:
        document = json.loads(body)
        echo = document["payload"]["echo"]
    except (ValueError, TypeError, KeyError):
        return body
    document["payload"]["echo"] = {name: value for name, value in echo.items() if name not in OF_THE_TOKEN}
    return document


def passed(results: dict[str, Any]) -> int:
    return sum(result["outcome"] == "passed" for result in results.values())


def test_the_comparison_finds_what_differs() -> None:
    exchange = {"status": 200, "body": "e30=", "headers": [["content-type", "a"], ["date", "1"]]}
    same = {"t": {"outcome": "passed", "error": "", "exchanges": [exchange]}}
    assert differences(same, same) == {}
    for changes in ({"status": 201}, {"body": ""}, {"headers": [["content-type", "b"]]}):
        assert differences(same, {"t": {**same["t"], "exchanges": [{**exchange, **changes}]}}).keys() == {"t"}
    assert differences(same, {"t": {**same["t"], "outcome": "failed"}}).keys() == {"t"}
    assert differences(same, {"u": same["t"]}).keys() == {"t", "u"}


def test_a_restricted_call_may_differ_only_by_its_token() -> None:
    def exchange(status: int, document: object) -> dict[str, Any]:
        body = base64.b64encode(json.dumps(document).encode()).decode()
        path = "/orders/v0/orders/902-3159896-1390916/address"
        return {"method": "GET", "path": path, "status": status, "headers": [], "body": body}

    def reason(direct: dict[str, Any], dropin: dict[str, Any]) -> str:
        return reason_of({"exchanges": [direct]}, {"exchanges": [dropin]})

    def echo(restricted: bool, path: str = "/a") -> dict[str, Any]:
        return exchange(200, {"payload": {"echo": {"path": path, "restricted_data_token": restricted}}})

    denied = exchange(403, {"errors": [{"code": "Unauthorized", "message": DENIED}]})
    assert reason(denied, exchange(404, {"errors": []})) == "restricted"
    assert reason(echo(False), echo(True)) == "restricted"
    assert reason(echo(False), echo(True, "/b")) == ""
    assert reason(echo(False), denied) == ""
    assert reason(exchange(403, {"errors": []}), echo(True)) == ""
    assert reason(exchange(404, {"errors": []}), echo(True)) == ""


@pytest.mark.timeout(2500)
@pytest.mark.parametrize("sandbox", [True, False], ids=["sandbox", "production"])
@pytest.mark.parametrize("name", ["amazon", "saleweaver"])
async def test_a_suite_gives_the_same_by_both_ways(
    need: Need, tmp_path: Path, rest: Rest, seller: Seller, fast: None, name: str, sandbox: bool
) -> None:
    variable = f"{name.upper()}_SDK"
    checkout = Path(os.environ.get(variable, ""))
    inside = "python/sdk" if name == "amazon" else "."
    need(f"{variable}: the folder of a checkout of the SDK", variable in os.environ and (checkout / inside).is_dir())
    libraries = tmp_path / "libraries"
    if name == "amazon":
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--target",
            str(libraries),
            RANDOM_STRINGS,
        ]
        subprocess.run(command, check=True, timeout=120)
    tests = "test" if name == "amazon" else "tests/api"
    samples, control = checkout / "test" / "res" / "responses", rest.suite.simulator or ""
    blank = DropIn("", "", "", "")
    run = Run(
        name, (checkout / inside).resolve(), tests, samples, libraries, control, blank, "", tmp_path / "results.json"
    )
    direct_run, dropin_run = await ways(run, rest, seller, sandbox=sandbox)
    direct, dropin = await direct_run.results_by_test(), await dropin_run.results_by_test()
    print(
        f"\n{name}: {len(direct)} tests, {passed(direct)} pass directly, {passed(dropin)} through the drop-in endpoint"
    )
    found = differences(direct, dropin)
    reasons = {test: reason_of(direct[test], dropin[test]) if test in direct.keys() & dropin else "" for test in found}
    for test in sorted(found):
        print(f"{reasons[test]} {test}: {found[test]:.300}")
    assert [test for test in found if not reasons[test]] == []
    assert passed(dropin) > len(dropin) / 2
