"""Runs at the start of each process, whose PYTHONPATH has this folder: adds the number of tasks to the metrics."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import REGISTRY, Collector

_ATTEMPTS = 100


class _Tasks(Collector):
    """The number of tasks that have not ended, of all loops of this process."""

    def collect(self) -> Iterator[Metric]:
        """Return it, unless the tasks change during each attempt: they belong to another thread."""
        tasks: Any = vars(asyncio.tasks)["_all_tasks"]
        for _ in range(_ATTEMPTS):
            with suppress(RuntimeError):
                count = sum(not task.done() for task in list(tasks))
                yield GaugeMetricFamily("chaos_tasks", "Tasks that have not ended", count)
                return


REGISTRY.register(_Tasks())
