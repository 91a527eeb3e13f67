"""The states of reports and feeds: IN_QUEUE, IN_PROGRESS, then DONE, CANCELLED or FATAL; and lists of them.

IDs are unique only together with the seller (Amazon's models), so every seller's IDs begin at the same number.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sellergate_simulator.clock import iso
from sellergate_simulator.http.responses import AmazonError, Response, invalid_input, json_response, not_found
from sellergate_simulator.spapi import paging
from sellergate_simulator.spapi.calls import Call

_FIRST_ID = 50_000_018_001


@dataclass(slots=True)
class Job:
    """One report or feed."""

    job_id: str
    job_type: str
    marketplace_ids: tuple[str, ...]
    created_at: float
    step_seconds: float
    outcome: str = "DONE"
    cancelled: bool = False
    document_id: str | None = None
    """The document of a finished report or a feed's result; created on the first request."""

    def status(self, now: float) -> str:
        """Return the processing status at a time."""
        if self.cancelled:
            return "CANCELLED"
        if now < self.created_at + self.step_seconds:
            return "IN_QUEUE"
        return "IN_PROGRESS" if now < self.created_at + 2 * self.step_seconds else self.outcome

    def times(self, now: float) -> dict[str, str]:
        """Return the times that Amazon returns at a time."""
        times = {"createdTime": iso(self.created_at)}
        if self.status(now) != "IN_QUEUE":
            times["processingStartTime"] = iso(self.created_at + self.step_seconds)
        if self.status(now) not in {"IN_QUEUE", "IN_PROGRESS"}:
            times["processingEndTime"] = iso(self.created_at + 2 * self.step_seconds)
        return times


J = TypeVar("J", bound=Job)


class Jobs(Generic[J]):
    """All reports, or all feeds, of all sellers."""

    def __init__(self, plural: str, types_parameter: str) -> None:
        """`plural` is the field of a list ("reports"), `types_parameter` the filter by type ("reportTypes")."""
        self._plural = plural
        self._types_parameter = types_parameter
        self._jobs: dict[tuple[str, str], dict[str, J]] = {}

    def next_id(self, call: Call) -> str:
        """Return the ID of this seller's next job."""
        return str(_FIRST_ID + len(self._of(call)))

    def add(self, call: Call, job: J) -> None:
        """Store a job."""
        self._of(call)[job.job_id] = job

    def find(self, call: Call, job_id: str) -> J:
        """Return a job of this seller. Raises the 404."""
        job = self._of(call).get(job_id)
        if job is None:
            raise not_found("The requested resource doesn't exist.")
        return job

    def all_of(self, call: Call) -> Collection[J]:
        """Return all jobs of this seller, the oldest first."""
        return self._of(call).values()

    def cancel(self, call: Call, job_id: str) -> Response:
        """Cancel a job that is still in the queue. Raises the 400 for any other."""
        job = self.find(call, job_id)
        if job.status(call.now) != "IN_QUEUE":
            raise AmazonError(400, "InvalidInput", "Only what is IN_QUEUE can be cancelled.")
        job.cancelled = True
        return Response(200)

    def listing(self, call: Call, show: Callable[[J], dict[str, Any]]) -> Response:
        """Return a page of this seller's jobs, the newest first. With a nextToken no other parameter is allowed."""
        seller_id = call.owner.selling_partner_id
        token = call.query.one("nextToken")
        if token is not None:
            if call.query.names() != {"nextToken"}:
                raise invalid_input("nextToken must be the only parameter.")
            state = paging.decode(token, self._plural, seller_id, "nextToken")
        else:
            state = self._filters(call)
        found = [job for job in reversed(self._of(call).values()) if _matches(job, state, call.now)]
        shown, following = paging.page(found, state["start"], state["size"])
        document: dict[str, Any] = {self._plural: [show(job) for job in shown]}
        if following is not None:
            document["nextToken"] = paging.encode(self._plural, seller_id, {**state, "start": following})
        return json_response(document)

    def _filters(self, call: Call) -> dict[str, Any]:
        query = call.query
        types = query.many(self._types_parameter)
        if not types:
            raise invalid_input(f"Either {self._types_parameter} or nextToken is required.")
        return {
            "types": types,
            "statuses": query.many("processingStatuses"),
            "marketplaces": query.many("marketplaceIds"),
            "since": query.time("createdSince") or 0.0,
            "until": query.time("createdUntil"),
            "start": 0,
            "size": query.integer("pageSize", low=1, high=100, default=10),
        }

    def _of(self, call: Call) -> dict[str, J]:
        region = call.region.name if call.region else "sandbox"
        return self._jobs.setdefault((call.owner.selling_partner_id, region), {})


def _matches(job: Job, state: dict[str, Any], now: float) -> bool:
    return (
        job.job_type in state["types"]
        and (not state["statuses"] or job.status(now) in state["statuses"])
        and (not state["marketplaces"] or bool(set(job.marketplace_ids) & set(state["marketplaces"])))
        and state["since"] <= job.created_at
        and (state["until"] is None or job.created_at <= state["until"])
    )
