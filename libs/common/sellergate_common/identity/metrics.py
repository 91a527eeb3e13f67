"""The expiry of this process's certificate, as a metric."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from cryptography import x509
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import REGISTRY, Collector

from sellergate_common.identity.renewal import renewals
from sellergate_common.identity.tls import Identity
from sellergate_common.tasks import BackgroundTasks


class CertificateMetrics(Collector):
    """`sellergate_certificate_end_time_seconds` of the certificate in use."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def collect(self) -> Iterator[Metric]:
        """Return the time of expiry."""
        end = x509.load_pem_x509_certificate(self._identity.certificate).not_valid_after_utc
        words = "Expiry of this process's certificate, in seconds since 1970"
        yield GaugeMetricFamily("sellergate_certificate_end_time_seconds", words, end.timestamp())

    async def follow(self) -> None:
        """Load renewed certificates until cancelled."""
        async for identity in renewals(self._identity):
            self._identity = identity


@asynccontextmanager
async def certificate_metrics(
    identity: Identity, background: BackgroundTasks, registry: CollectorRegistry = REGISTRY
) -> AsyncIterator[None]:
    """Export the metric while the body runs."""
    metrics = CertificateMetrics(identity)
    registry.register(metrics)
    try:
        async with background.run("certificate_metrics", metrics.follow):
            yield
    finally:
        registry.unregister(metrics)
