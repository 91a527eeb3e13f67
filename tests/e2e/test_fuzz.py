"""A slice of the fuzzing of tests/fuzz on the shared suite, and its whole corpus: every RPC and every route, a few times each."""

import asyncio

import httpx
import pytest

from tests.e2e.conftest import Rest
from tests.fuzz import corpus
from tests.fuzz.calls import Callers
from tests.fuzz.oracles import Logs
from tests.fuzz.rpcs import methods
from tests.fuzz.run import Extent, Run
from tests.fuzz.sockets import Sockets
from tests.fuzz.world import World

SEED, EACH = 20, 100


@pytest.fixture(scope="module")
async def world(rest: Rest, control: httpx.AsyncClient) -> World:
    return await World.made(rest, control)


async def test_a_slice_breaks_nothing(world: World, fast: None) -> None:
    logs, run = Logs(world.rest.suite), Run(world, Extent(SEED, each=EACH))
    found = await run()
    assert not found.kinds, found
    assert not logs.faults(), "\n".join(line[-2500:] for line in logs.faults()[:20])
    assert {rpc for rpc, _ in run.callers.count} == set(methods())
    assert len({route for route, _ in run.sockets.count}) > 25


async def test_the_corpus_breaks_nothing(world: World, fast: None) -> None:
    logs, sockets = Logs(world.rest.suite), Sockets(world.rest.suite)
    await world.refresh()
    requests = list(corpus.requests(world.known, world.tokens[0], world.sdk_tokens[-1]))
    async with Callers(world.rest.suite) as callers:
        inputs = list(corpus.inputs(world.known))
        called = await asyncio.gather(*(callers.send(one) for one in inputs))
    wrong = {(one.rpc, one.messages): fault for one, (_, fault) in zip(inputs, called, strict=True) if fault}
    responses = await asyncio.gather(*(sockets.send(one) for one in requests))
    wrong |= {one.route: fault for one, (_, fault) in zip(requests, responses, strict=True) if fault}
    assert wrong == {}
    assert not logs.faults(), "\n".join(line[-2500:] for line in logs.faults()[:20])
    assert len(inputs) > 20
    assert len(requests) > 30
