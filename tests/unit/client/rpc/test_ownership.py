"""Clients in another event loop, in a forked process, and in their own callbacks."""

import asyncio
import os
import threading
from typing import Any

import grpc
import pytest
from sellergate_client import ClientUseError, Sellergate
from sellergate_client import sync as without_await
from sellergate_client.rpc.ownership import Owner, check_process
from sellergate_client.sync.loops import EventLoop


def test_another_event_loop_is_refused() -> None:
    async def open_owner() -> Owner:
        owner = Owner()
        owner.check()
        return owner

    owner = asyncio.run(open_owner())

    async def use() -> None:
        owner.check()

    with pytest.raises(ClientUseError, match=r"sellergate_client\.sync"):
        asyncio.run(use())


def test_another_process_is_refused() -> None:
    check_process(os.getpid())
    with pytest.raises(ClientUseError, match="Start child processes before"):
        check_process(os.getppid())


def test_a_document_is_made_without_await_beside_any_event_loop() -> None:
    async def connect() -> Sellergate:
        channel: Any = grpc.aio.insecure_channel("127.0.0.1:1")
        unused: Any = None
        return Sellergate(channel, channel, unused, unused)

    loop = EventLoop()
    try:
        partner = without_await.SellingPartner("a")
        partner._running = loop
        partner._partner._connected = loop.run(connect())

        async def within_another_loop() -> None:
            assert partner.report("X").wrapped.received == 0

        assert partner.download("X").wrapped.received == 0
        asyncio.run(within_another_loop())
    finally:
        loop.close()


def test_the_thread_of_a_client_cannot_wait_for_itself_and_others_can() -> None:
    loop = EventLoop()

    async def value() -> int:
        return 7

    async def nested() -> int:
        return loop.run(value())

    try:
        with pytest.raises(ClientUseError, match="on_progress"):
            loop.run(nested())
        found: list[int] = []
        threads = [threading.Thread(target=lambda: found.append(loop.run(value()))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert found == [7] * 4
    finally:
        loop.close()
