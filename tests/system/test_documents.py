"""Two gigabytes through DownloadDocument: byte for byte, in constant memory, even from a store that keeps failing."""

import asyncio
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from sellergate.gateway.v1 import call_pb2
from sellergate.gateway.v1 import gateway_service_pb2 as pb2
from sellergate_common.rpc.channel import invoke
from sellergate_gateway.documents.addresses import Kind
from sellergate_gateway.documents.aiohttp_store import open_documents
from sellergate_gateway.documents.download import Documents, Head

from tests.contract.amazon.failing_store import WAYS, failing_store
from tests.contract.amazon.test_document_faults import TIME, Addresses
from tests.system.gateway_fleet import Gateways, gateways

BYTES = 2_000_000_000
FAILS_AFTER = 50_000_000
"""Bytes that one response of a store holds before it fails, each time in the next of its ways."""
MOST_ADDED_MEGABYTES = 64
MARKETPLACE = "ATVPDKIKX0DER"


@pytest.mark.timeout(900)
async def test_two_gigabytes(tmp_path: Path) -> None:
    async with gateways(tmp_path, 1) as world:
        (account_id,) = await world.fleet.add(1)
        await world.post_control("rates", scale=1000, burst_scale=10)
        await world.warm([account_id])
        document_id = await made(world, account_id)
        pid = world.fleet.suite.pids["gateway"]
        at_first, hashes = megabytes(pid, "VmRSS"), list[str]()
        for breaks in (0, 2):
            if breaks:
                await world.post_control("faults", kind="document_cut", count=breaks)
            size, digest = await downloaded(world, account_id, document_id)
            added = megabytes(pid, "VmHWM") - at_first
            print(f"\n{size} bytes, {breaks} breaks: {added:.0f} MB added at most, sha256 {digest[:16]}…")
            assert size == BYTES
            assert added < MOST_ADDED_MEGABYTES
            hashes.append(digest)
        assert hashes == [await expected(world, account_id)] * 2


@pytest.mark.timeout(900)
async def test_two_gigabytes_from_a_store_that_fails_in_every_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sellergate_gateway.documents.aiohttp_store.SILENCE_SECONDS", 2.0)
    size, pattern = BYTES, os.urandom(1 << 20)

    def content(start: int, end: int) -> bytes:
        """Return a piece of the pattern, which is repeated over and over."""
        at = start % len(pattern)
        return (pattern * (1 + (at + end - start) // len(pattern)))[at : at + end - start]

    digest = hashlib.sha256()
    for start in range(0, size, len(pattern)):
        digest.update(pattern[: size - start])
    at_first = megabytes(os.getpid(), "VmRSS")
    async with failing_store(size, FAILS_AFTER, content) as store, open_documents([store.origin]) as documents:
        addresses: Any = Addresses(f"{store.origin}/x")
        received = hashlib.sha256()
        async for part in Documents(addresses, documents, TIME).download("a", Kind.REPORT, "d", "u"):
            if not isinstance(part, Head):
                received.update(part)
    added = megabytes(os.getpid(), "VmHWM") - at_first
    print(f"\n{size} bytes in {store.requests} requests: {added:.0f} MB added at most")
    assert received.hexdigest() == digest.hexdigest()
    assert set(store.seen) == set(WAYS)
    assert added < MOST_ADDED_MEGABYTES


async def made(world: Gateways, account_id: str) -> str:
    body = {
        "reportType": "GET_MERCHANT_LISTINGS_ALL_DATA",
        "marketplaceIds": [MARKETPLACE],
        "reportOptions": {"simulatorBytes": str(BYTES)},
    }
    path = "/reports/2021-06-30/reports"
    request = call_pb2.CallRequest(account_id=account_id, method="POST", path=path, body=json.dumps(body).encode())
    response = await invoke(world.next().Call, request, dependency="gateway", seconds=30)
    report_id = json.loads(response.body)["reportId"]
    while True:
        # The simulator writes the document at the first request for it after the end.
        report = json.loads((await world.call(account_id, f"{path}/{report_id}", 30, 60)).body)
        if "reportDocumentId" in report:
            return str(report["reportDocumentId"])
        await asyncio.sleep(0.5)


async def downloaded(world: Gateways, account_id: str, document_id: str) -> tuple[int, str]:
    request = pb2.DownloadDocumentRequest(account_id=account_id, document_id=document_id, kind=pb2.DOCUMENT_KIND_REPORT)
    size, digest = 0, hashlib.sha256()
    async for message in world.next().DownloadDocument(request, timeout=600):
        size += len(message.chunk)
        digest.update(message.chunk)
    return size, digest.hexdigest()


async def expected(world: Gateways, account_id: str) -> str:
    """Return the hash of the simulator's document: the report's text, repeated."""
    request = pb2.RunReportRequest(account_id=account_id, report_type="GET_MERCHANT_LISTINGS_ALL_DATA")
    text = b"".join([message.chunk async for message in world.next().RunReport(request, timeout=60)])
    digest, left = hashlib.sha256(), BYTES
    block = text * (1 + (1 << 24) // len(text))
    while left:
        part = block[: min(left, len(block) // len(text) * len(text))]
        digest.update(part)
        left -= len(part)
    return digest.hexdigest()


def megabytes(pid: int, name: str) -> float:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status[name].split()[0]) / 1024
