"""All targets by their names."""

from tests.fuzz.parsers import amazon, documents, edge, internal, legacy, rotation, sealed
from tests.fuzz.parsers.target import Target

_GROUPS = (amazon, documents, rotation, sealed, legacy, edge, internal)
TARGETS: dict[str, Target] = {target.name: target for group in _GROUPS for target in group.TARGETS}
