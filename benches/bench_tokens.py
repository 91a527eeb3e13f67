"""A warm GetAccessToken beside a bare echo of the same message size, with the same TLS, uvloop and process count."""

from sellergate.token.v1.token_service_pb2 import GetAccessTokenRequest

from benches.effort import Effort
from benches.measuring import Subject, compare
from benches.results import Result
from benches.suites import opened

GET_ACCESS_TOKEN = "/sellergate.token.v1.TokenService/GetAccessToken"
CALLERS = 32


async def measure(effort: Effort) -> Result:
    """Measure both in turns."""
    async with opened() as bench:
        token = await bench.method("token", bench.suite.target("token"), GET_ACCESS_TOKEN)
        request = GetAccessTokenRequest(account_id=bench.account_id).SerializeToString()
        echo = await bench.echo(len(await token(request, timeout=30)))
        found = await compare(
            {
                "bare echo": echo.subject("echo", request),
                "GetAccessToken": Subject(
                    lambda: token(request, timeout=30),
                    {name: bench.suite.pids[name] for name in ("token", "account", "redis")},
                ),
            },
            effort,
            CALLERS,
        )
    ratio = found["GetAccessToken"].rate / found["bare echo"].rate
    return Result({f"{CALLERS} callers": found}, {"tokens.of_echo": ratio})
