"""Enforces the shape rules that the protos state (sellergate.common.v1.rules) on every request."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from sellergate.common.v1 import rules_pb2

from sellergate_common.errors import FieldViolation, InvalidRequest

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_Check = Callable[[Any], str | None]
_MAX_SHOWN = 50


def validate(message: Message) -> None:
    """Raise InvalidRequest that names every field of `message` that breaks its rules."""
    found: list[FieldViolation] = []
    for violation in _violations(message, ""):
        found.append(violation)
        if len(found) == _MAX_SHOWN:
            break
    if found:
        words = "; ".join(f"{violation.field}: {violation.description}" for violation in found)
        raise InvalidRequest(words, violations=found)


def _violations(message: Message, path: str) -> Iterator[FieldViolation]:
    for field, required, checks in _plan(message.DESCRIPTOR):
        name = path + field.name
        value = getattr(message, field.name)
        if not _is_set(message, field, value):
            if required:
                yield FieldViolation(name, "must be set")
            continue
        for check in checks:
            fault = check(value)
            if fault:
                yield FieldViolation(name, fault)
        if _is_looked_into(field):
            if field.is_repeated:
                for index, item in enumerate(value):
                    yield from _violations(item, f"{name}[{index}].")
            else:
                yield from _violations(value, name + ".")


def _is_set(message: Message, field: FieldDescriptor, value: Any) -> bool:
    if field.has_presence:
        return bool(message.HasField(field.name))
    return bool(value) or (not field.is_repeated and isinstance(value, int | float) and not _rules(field).required)


def _is_looked_into(field: FieldDescriptor) -> bool:
    if field.message_type is None or field.message_type.GetOptions().map_entry or _rules(field).checked_by_service:
        return False
    return bool(field.message_type.file.package.startswith("sellergate."))


@cache
def _plan(descriptor: Descriptor) -> tuple[tuple[FieldDescriptor, bool, tuple[_Check, ...]], ...]:
    """Compile the rules of a message once: the fields that need a look, and the checks on each."""
    plan = []
    for field in descriptor.fields:
        rules = _rules(field)
        checks = tuple(_checks(field, rules))
        if rules.required or checks or _is_looked_into(field):
            plan.append((field, rules.required, checks))
    return tuple(plan)


@cache
def _rules(field: FieldDescriptor) -> rules_pb2.FieldRules:
    return field.GetOptions().Extensions[rules_pb2.rules]


def _checks(field: FieldDescriptor, rules: rules_pb2.FieldRules) -> Iterator[_Check]:
    if rules.max_items:
        limit = rules.max_items
        yield lambda value: f"has {len(value)} items; at most {limit} are allowed" if len(value) > limit else None
    if rules.max_bytes:
        yield _max_bytes(rules.max_bytes)
    if field.type == FieldDescriptor.TYPE_STRING and (rules.max_length or rules.pattern):
        check = _text_check(rules)
        yield _each(check) if field.is_repeated else check
    if rules.minimum or rules.maximum:
        low, high = rules.minimum, rules.maximum
        yield lambda value: None if low <= value <= high else f"must be from {low} to {high}"


def _max_bytes(limit: int) -> _Check:
    return lambda value: f"has {len(value)} bytes; at most {limit} are allowed" if len(value) > limit else None


def _text_check(rules: rules_pb2.FieldRules) -> _Check:
    pattern = re.compile(rules.pattern, re.ASCII) if rules.pattern else None

    def check(value: str) -> str | None:
        if rules.max_length and len(value) > rules.max_length:
            return f"has {len(value)} characters; at most {rules.max_length} are allowed"
        if not rules.allow_control and _CONTROL.search(value):
            return "must not contain control characters"
        if pattern and not pattern.fullmatch(value):
            return f"must be {rules.pattern_hint}"
        return None

    return check


def _each(check: _Check) -> _Check:
    return lambda values: next((fault for value in values if (fault := check(value))), None)
