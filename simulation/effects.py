"""What each kind of fault may cause, so that an invariant allows for it."""

from simulation.plan import FAULTS, REPLICAS

_MANY = 1_000
_EVERY_REPLICA = REPLICAS["token"] + 1
# The exchanges that one fault may cause in addition to those without it.
COSTS = {
    "crash": 1,
    "stop": 1,
    "freeze": 1,
    "isolated": 2,
    "cut": 1,
    "cut_redis": 2,
    "reset_redis": 1,
    "freeze_redis": _MANY,
    "empty_redis": _EVERY_REPLICA,
    "garbled_redis": _EVERY_REPLICA,
    "readonly_redis": _MANY,
    "resets": _MANY,
    "lwa_hang": 1,
    "lwa_lost": _MANY,
    "late_renewals": 1,
    "slow_replies": 1,
    "slow": 1,
}
# Faults that cause an exchange only where a command of Redis took too long.
WITHOUT_REDIS = frozenset({"slow"})
SLOW_LWA = frozenset({"lwa_slow", "late_renewals"})
# The longest time between an exchange and the store of its refresh token while LWA is slow, in seconds.
LATEST_RESPONSE_SECONDS = 11.0
# Faults in which LWA's response, or the store of its refresh token, may be lost. A process that is stopped loses neither.
MAY_LOSE_GRANTS = (
    frozenset(FAULTS)
    - SLOW_LWA
    - frozenset(
        {"stop", "slow", "duplicates", "unannounced", "slow_commits", "late_renewals", "reset_redis"}
        | {kind for kind in FAULTS if kind.startswith("spapi")}
    )
)
# Faults that keep the owner of a lease from its renewals.
STOP_RENEWALS = frozenset(
    {"crash", "stop", "freeze", "isolated", "cut_redis", "reset_redis", "freeze_redis", "empty_redis", "resets", "slow"}
    | {"late_renewals", "readonly_redis"}
)
# Faults that delay a response for seconds, so that the token in it ends earlier than its reader knows.
DELAY_TOKENS = frozenset({"freeze", "isolated", "cut", "cut_redis", "slow"})
# Faults that delay what comes before the acknowledgement of a change only.
BEFORE_ACKNOWLEDGEMENT = frozenset({"slow_commits"})
