"""The lists of CONTRIBUTING.md as checks: each names the places that lack an RPC, a setting or another addition."""

from collections.abc import Callable, Iterator, Mapping

from scripts.places import metrics, reasons, redis_keys, rpcs, services, settings
from scripts.places.tree import Tree

KINDS: Mapping[str, Callable[[Tree], Iterator[str]]] = {
    kind.HEADING: kind.missing for kind in (services, rpcs, settings, redis_keys, reasons, metrics)
}
