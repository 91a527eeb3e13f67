"""The order of the layers is part of the design: what each may rely on stands to its left."""

from prometheus_client import CollectorRegistry
from sellergate_common.identity.policy import Access
from sellergate_common.observability.telemetry import RpcMetrics
from sellergate_common.rpc.admission import Admission
from sellergate_common.rpc.interceptors import Interceptors


def test_the_layers_stand_in_the_agreed_order() -> None:
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


def test_calls_are_admitted_after_all_that_costs_little() -> None:
    admission = Admission(1, lambda: 0.0, lambda: 0.0)
    without, layers = (
        Interceptors("account", Access(), RpcMetrics.register(CollectorRegistry()), one) for one in (None, admission)
    )
    assert len(layers.order) == len(without.order) + 1
    assert layers.order[:-1] == tuple(getattr(layers, one.__name__) for one in without.order)  # type: ignore[attr-defined]
