"""The metrics of admission: running, waiting, refused and expired work."""

import asyncio

from prometheus_client import CollectorRegistry
from sellergate_common.errors import Overloaded
from sellergate_common.rpc.admission import Admission
from sellergate_common.rpc.admission_metrics import AdmissionMetrics

from tests.fakes.virtual_time import run_in_virtual_time


def test_the_metrics_show_admitted_refused_and_expired_work() -> None:
    async def main() -> None:
        age, registry = 0.0, CollectorRegistry()
        loop = asyncio.get_running_loop()
        admission = Admission(1, loop.time, lambda: 0.0, age=lambda: age)
        AdmissionMetrics.register(registry, calls=admission)

        def value(name: str, **labels: str) -> float | None:
            return registry.get_sample_value(name, {"work": "calls", **labels})

        async def work(left: float) -> None:
            deadline = loop.time() + left
            async with admission.admit(lambda: deadline - loop.time()):
                await asyncio.sleep(5)

        tasks = [asyncio.create_task(work(left)) for left in (60.0, 60.0, 0.06)]
        await asyncio.sleep(0)
        age = 3.0
        tasks.append(asyncio.create_task(work(1.0)))
        await asyncio.sleep(0)
        assert (value("sellergate_admission", state="running"), value("sellergate_admission", state="waiting")) == (
            1,
            2,
        )
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(one) for one in outcomes] == [type(None), type(None), Overloaded, Overloaded]
        assert (value("sellergate_admission_refused_total"), value("sellergate_admission_expired_total")) == (1, 1)
        assert (
            value("sellergate_admission_refusal_seconds_bucket", le="0.25")
            == value("sellergate_admission_refusal_seconds_count")
            == 1
        )
        assert value("sellergate_admission_refusal_seconds_sum") == 0

    run_in_virtual_time(main())
