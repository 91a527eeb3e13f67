"""Quotas of several operations, from gateways of this release and of earlier ones."""

from typing import Any

import pytest
from sellergate.gateway.v1 import gateway_service_pb2 as pb2
from sellergate.gateway.v1 import operation_pb2
from sellergate_client.catalogue import MOST_QUOTAS, Catalogue


class Gateway:
    """A gateway that counts its calls; an operation's burst is the number in its name. An `early` one lacks more_operations."""

    def __init__(self, *, early: bool) -> None:
        self.early = early
        self.requests: list[pb2.GetQuotaRequest] = []

    async def GetQuota(self, request: pb2.GetQuotaRequest, **_: Any) -> pb2.GetQuotaResponse:  # noqa: N802
        self.requests.append(request)
        first, *more = [
            operation_pb2.Quota(burst=int(name), source=operation_pb2.QUOTA_SOURCE_CATALOGUE)
            for name in (request.operation, *request.more_operations)
        ]
        return pb2.GetQuotaResponse(quota=first, more_quotas=[] if self.early else more)


@pytest.mark.parametrize("sandbox", [None, True, False])
@pytest.mark.parametrize(
    ("early", "count", "calls"),
    [(False, 1, 1), (False, 20, 1), (False, MOST_QUOTAS + 1, 2), (True, 3, 3), (True, 0, 0)],
)
async def test_quotas_in_few_calls(early: bool, count: int, calls: int, sandbox: bool | None) -> None:
    gateway, names = Gateway(early=early), [str(number) for number in range(count)]
    found = await Catalogue(gateway).quotas("a", names, sandbox=sandbox)
    assert [(quota.operation, quota.burst) for quota in found] == [(name, int(name)) for name in names]
    assert len(gateway.requests) == calls
    for request in gateway.requests:
        assert (request.sandbox if request.HasField("sandbox") else None) is sandbox


async def test_one_quota() -> None:
    assert (await Catalogue(Gateway(early=False)).quota("a", "7")).burst == 7
