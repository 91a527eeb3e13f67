"""A models folder is read completely, or refused with the invalid file and entry."""

import json
from pathlib import Path
from typing import Any

import pytest
from sellergate_amazon.data_files import DataFileError
from sellergate_amazon.models.files import read_models

from tests.fakes.amazon_models import orders, stock, write_models

INFO = {"title": "x", "version": "v1"}


def test_models_are_read_in_the_order_of_their_paths(tmp_path: Path) -> None:
    models = read_models(write_models(tmp_path, stock=stock(), orders=orders()))
    assert [(model.file.name, model.version) for model in models] == [
        ("orders_2030-01-01.json", "2030-01-01"),
        ("stock_v1.json", "v1"),
    ]
    assert sum(len(list(model.operations())) for model in models) == 11


def test_a_base_path_stands_before_every_path(tmp_path: Path) -> None:
    (model,) = read_models(write_models(tmp_path, stock=stock() | {"basePath": "/base/"}))
    assert {path for _, path, _, _ in model.operations()} == {"/base/stock/v1/items"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "x.json: is not JSON"),
        ("[]", "x.json: is not an OpenAPI document"),
        ('{"a": 1}', "x.json: is not an OpenAPI document"),
        ({"swagger": "2.0", "paths": {}}, "info.version"),
        ({"swagger": "2.0", "info": INFO}, "paths"),
        ({"openapi": "3.0.0", "info": INFO, "paths": {"/a": []}}, "/a"),
        ({"openapi": "3.0.0", "info": INFO, "paths": {"/a": {"get": 1}}}, "GET /a"),
        (
            {"openapi": "3.0.0", "info": INFO, "paths": {"/a": {"get": {"responses": {}}}}},
            "GET /a: needs an operationId",
        ),
        ({"openapi": "3.0.0", "info": INFO, "paths": {"/a": {"get": {"operationId": "a"}}}}, "GET /a: needs responses"),
    ],
)
def test_a_file_that_is_no_model_is_refused_by_name(tmp_path: Path, content: Any, words: str) -> None:
    (tmp_path / "x.json").write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(DataFileError) as caught:
        read_models(tmp_path)
    assert words in str(caught.value)
    assert caught.value.file == str(tmp_path / "x.json")


def test_a_folder_without_models_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="has no model"):
        read_models(tmp_path)
    with pytest.raises(DataFileError, match="is not a folder"):
        read_models(tmp_path / "missing")


@pytest.mark.parametrize(
    "reference", ["other.json#/x", "#/definitions/Missing", "#/definitions/Loop", "#/info/version"]
)
def test_a_reference_that_leads_nowhere_is_refused(tmp_path: Path, reference: str) -> None:
    document = {**orders(), "definitions": {"Loop": {"$ref": "#/definitions/Loop"}}}
    (model,) = read_models(write_models(tmp_path, orders=document))
    with pytest.raises(DataFileError) as caught:
        model.resolved({"$ref": reference})
    assert caught.value.file == str(model.file)
