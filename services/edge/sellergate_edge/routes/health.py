"""Whether the edge lives, and whether the services behind it answer."""

from fastapi import APIRouter

from sellergate_edge.dependencies import Client

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Tell that the process lives."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(client: Client) -> dict[str, object]:
    """Tell which services answer; a silent one is named and fails nothing, for the edge itself can serve."""
    return {"status": "ok", "dependencies": await client.health()}
