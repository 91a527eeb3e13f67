"""Health of the edge on a port of its own: liveness, and readiness with what is wrong in a few words."""

from sellergate_client import Sellergate
from sellergate_common.tasks import BackgroundTasks
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


def make_health_app(client: Sellergate, background: BackgroundTasks) -> Starlette:
    """Return the app of the health port, which must not be reachable from outside."""

    async def healthz(_: Request) -> JSONResponse:
        """Report that the process runs."""
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> JSONResponse:
        """Report `ok`, or `degraded` with the services that are unavailable and what is wrong in the edge itself.

        The response is 200 in either case: another replica of the edge would have the same services behind it.
        """
        dependencies = await client.health()
        problems = {name: problem for name, problem in background.problems().items() if problem}
        is_well = all(dependencies.values()) and not problems
        status = "ok" if is_well else "degraded"
        return JSONResponse({"status": status, "dependencies": dependencies, "problems": problems})

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz)])
