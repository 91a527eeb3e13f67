"""Health of the edge: liveness, and readiness with what is wrong in a few words."""

from fastapi import APIRouter, Request
from sellergate_common.tasks import BackgroundTasks

from sellergate_edge.dependencies import Client

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Report that the process runs."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(request: Request, client: Client) -> dict[str, object]:
    """Report `ok`, or `degraded` with the services that are unavailable and what is wrong in the edge itself.

    The response is 200 in either case: another replica of the edge would have the same services behind it.
    """
    background: BackgroundTasks = request.app.state.background
    dependencies = await client.health()
    problems = {name: problem for name, problem in background.problems().items() if problem}
    is_well = all(dependencies.values()) and not problems
    return {"status": "ok" if is_well else "degraded", "dependencies": dependencies, "problems": problems}
