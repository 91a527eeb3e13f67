"""The order of the layers, which is part of the design: each relies on the layers before it."""

import asyncio

import grpc
import pytest
from prometheus_client import CollectorRegistry
from sellergate_common.context import CallContext
from sellergate_common.errors import OutOfTime, Reason
from sellergate_common.identity.policy import Access
from sellergate_common.observability.telemetry import RpcMetrics
from sellergate_common.rpc.admission import Admission
from sellergate_common.rpc.interceptors import Interceptors, Rpc


def test_the_layers_are_in_the_agreed_order() -> None:
    layers = Interceptors("account", Access(), RpcMetrics.register(CollectorRegistry()))
    assert [layer.__name__ for layer in layers.order] == [  # type: ignore[attr-defined]
        "request_id",
        "log",
        "metrics",
        "errors",
        "identity",
        "parsing",
        "deadline",
        "validation",
    ]


def test_calls_are_admitted_after_all_cheap_checks() -> None:
    admission = Admission(1, lambda: 0.0, lambda: 0.0)
    without, layers = (
        Interceptors("account", Access(), RpcMetrics.register(CollectorRegistry()), one) for one in (None, admission)
    )
    assert len(layers.order) == len(without.order) + 1
    assert layers.order[:-1] == tuple(getattr(layers, one.__name__) for one in without.order)  # type: ignore[attr-defined]


class Ended:
    """The context of a call that its client's deadline has ended, with gRPC's behaviour in this case."""

    def __init__(self) -> None:
        self.statuses = list[grpc.StatusCode]()

    async def abort(self, code: grpc.StatusCode, *_: object) -> None:
        self.statuses.append(code)
        raise grpc.aio.InternalError("TOO_MANY_OPERATIONS")


@pytest.mark.parametrize("raised", [OutOfTime("The deadline passed."), grpc.aio.InternalError("TOO_MANY_OPERATIONS")])
async def test_a_call_that_has_ended_before_its_status_is_sent_is_cancelled_and_logged_as_no_error(
    raised: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    interceptors = Interceptors("account", Access(), RpcMetrics.register(CollectorRegistry()))
    context = Ended()
    rpc = Rpc(context, CallContext("sellergate.a/b", "r"), {}, False, None)  # type: ignore[arg-type]

    async def body(_: Rpc) -> None:
        raise raised

    with pytest.raises(asyncio.CancelledError):
        await interceptors.errors(body, rpc)
    assert len(context.statuses) == (1 if isinstance(raised, OutOfTime) else 0)
    assert rpc.call.reason in (Reason.DEADLINE_EXCEEDED, Reason.CANCELLED)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
