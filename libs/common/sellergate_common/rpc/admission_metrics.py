"""Prometheus metrics of admission."""

from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import REGISTRY, Collector
from prometheus_client.utils import floatToGoString

from sellergate_common.rpc.admission import Admission
from sellergate_common.rpc.refusals import BUCKETS


class AdmissionMetrics(Collector):
    """Admitted, refused and expired work, by kind."""

    def __init__(self, admissions: Mapping[str, Admission]) -> None:
        self._admissions = admissions

    @classmethod
    def register(cls, registry: CollectorRegistry = REGISTRY, **admissions: Admission) -> None:
        """Create and register the metrics of a process."""
        registry.register(cls(admissions))

    def collect(self) -> Iterator[Metric]:
        """Return the current counts."""
        labels = ("work",)
        work = GaugeMetricFamily("sellergate_admission", "Work that is admitted, by state", labels=("work", "state"))
        refused = CounterMetricFamily("sellergate_admission_refused", "Work refused under overload", labels=labels)
        expired = CounterMetricFamily(
            "sellergate_admission_expired", "Work whose turn came too late for every caller", labels=labels
        )
        times = HistogramMetricFamily(
            "sellergate_admission_refusal_seconds", "Time from a call's arrival to its refusal", labels=labels
        )
        bounds = (*map(floatToGoString, BUCKETS), "+Inf")
        for name, admission in self._admissions.items():
            work.add_metric((name, "running"), admission.running)
            work.add_metric((name, "waiting"), admission.waiting)
            work.add_metric((name, "at most"), admission.limit)
            refused.add_metric((name,), admission.refused)
            expired.add_metric((name,), admission.expired)
            within = map(float, accumulate(admission.refusals.within))
            times.add_metric((name,), list(zip(bounds, within, strict=True)), admission.refusals.seconds)
        yield from (work, refused, expired, times)
