"""The order of the layers is part of the design: what each may rely on stands to its left."""

from prometheus_client import CollectorRegistry
from sellergate_common.identity import Access
from sellergate_common.interceptors import Layers
from sellergate_common.telemetry import RpcMetrics


def test_the_layers_stand_in_the_agreed_order() -> None:
    layers = Layers("account", Access(), RpcMetrics.register(CollectorRegistry()))
    assert [layer.__name__ for layer in layers.order] == [  # type: ignore[attr-defined]
        "request_id",
        "log",
        "metrics",
        "errors",
        "identity",
        "deadline",
        "validation",
    ]
