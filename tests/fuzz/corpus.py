"""The kept inputs: those that once found a fault, and one of each kind that parsers often fail on."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

from google.protobuf import json_format, message_factory

from tests.fuzz.messages import Known
from tests.fuzz.routes import Request
from tests.fuzz.rpcs import Input, methods

FOLDER = Path(__file__).parent / "corpus"


def inputs(known: Known) -> Iterator[Input]:
    """Yield the inputs of RPCs: messages as JSON, or hex for other bytes; $account_id becomes the ID of an account."""
    every = methods()
    for row in _rows("rpcs.json", known):
        kind = message_factory.GetMessageClass(every[row["rpc"]].input_type)
        sent = [
            one if isinstance(one, str) else json_format.ParseDict(one, kind()).SerializeToString().hex()
            for one in row["messages"]
        ]
        yield Input.of_json({**row, "messages": sent})


def requests(known: Known, token: str, sdk_token: str) -> Iterator[Request]:
    """Yield the HTTP requests, as Latin-1; $token and $sdk_token stand for valid ones."""
    for row in _rows("requests.json", known, token=token, sdk_token=sdk_token):
        yield Request.of_json({"route": row["note"], **row, "data": row["data"] * row.get("times", 1)})


def _rows(name: str, known: Known, **given: str) -> list[dict[str, Any]]:
    text = (FOLDER / name).read_text()
    ids = {one: known.pick(one, random.Random(0)) for one in ("account_id", "application_id", "client_id")}
    rows: list[dict[str, Any]] = json.loads(Template(text).safe_substitute(ids | given))
    return rows
