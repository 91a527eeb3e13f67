"""The metric of rotations by outcome. Its labels have few values: source, kind and outcome are fixed words."""

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.registry import REGISTRY

from sellergate_token.rotation.handlers import Count


def rotation_count(registry: CollectorRegistry = REGISTRY) -> Count:
    """Register the counter and return the function that counts."""
    counter = Counter(
        "sellergate_rotations",
        "Rotations received, by source (webhook, queue), kind and outcome (applied, known, refused, failed)",
        ("source", "kind", "outcome"),
        registry=registry,
    )
    return lambda source, kind, outcome: counter.labels(source, kind, outcome).inc()
