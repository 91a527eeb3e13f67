"""The rotation of the application's client secret: Amazon's messages, and the queue that delivers them."""

import asyncio
import random
from datetime import UTC, datetime
from typing import Any

from sellergate.token.v1 import token_service_pb2
from sellergate_common.rpc.channel import invoke

from simulation.plan import REPLICAS, Operation
from simulation.world.amazon import CLIENT_ID
from simulation.world.loop import EPOCH
from tests.fakes.token import new_secret

# The seconds for which the application's old secret stays valid.
OVERLAP_SECONDS = 12.0


async def deliver_secrets(client: Any, operation: Operation) -> str:
    """Rotate sometimes twice, with the later message first, as queues deliver them."""
    messages = [_new_secret(client)]
    if operation.draw < 0.5:
        await asyncio.sleep(1.5)
        messages.insert(0, _new_secret(client))
    outcomes = []
    for number, body in messages:
        request = token_service_pb2.HandleRotationRequest(queue_message=body)

        async def deliver(request: Any = request) -> str:
            stub = client.token_stub(random.randrange(REPLICAS["token"]))
            response = await invoke(stub.HandleRotation, request, dependency="token", seconds=operation.deadline)
            return f"{response.applied}"

        client.other_tokens.note_rotation()
        outcomes.append(f"secret {number} applied {await client.until_done(deliver)}")
        client.other_tokens.note_rotation()
    return ", ".join(outcomes)


def _new_secret(client: Any) -> tuple[int, bytes]:
    """Return the number of a new secret, and Amazon's message about it."""
    number = client.world.amazon.new_secret(OVERLAP_SECONDS)
    client.other_tokens.note_rotation()
    client.history.note("amazon", f"new secret {number}")
    moment = datetime.fromtimestamp(EPOCH + client.checker.now, UTC)
    return number, new_secret(CLIENT_ID, f"secret-{number}", moment).encode()
