"""Faults of this process and its machine, reported by the real client of SP-API."""

import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sellergate_gateway.spapi.aiohttp_transport import open_amazon
from sellergate_gateway.spapi.http import AmazonRequest, ConnectError


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Let this process open no more files and sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def request(url: str) -> AmazonRequest:
    return AmazonRequest("GET", url, (), b"")


async def test_missing_descriptors_are_an_own_fault() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        async with open_amazon() as amazon:
            with no_descriptors(), pytest.raises(ConnectError) as caught:
                await amazon.send(request(f"http://127.0.0.1:{server.getsockname()[1]}/"), 5)
    assert caught.value.own


async def test_a_name_that_cannot_be_resolved_is_an_own_fault() -> None:
    async with open_amazon() as amazon:
        with pytest.raises(ConnectError) as caught:
            await amazon.send(request("http://no-such-host.invalid/"), 10)
    assert caught.value.own


async def test_a_host_that_refuses_is_not_an_own_fault() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        async with open_amazon() as amazon:
            with pytest.raises(ConnectError) as caught:
                await amazon.send(request(f"http://127.0.0.1:{bound.getsockname()[1]}/"), 5)
    assert not caught.value.own
