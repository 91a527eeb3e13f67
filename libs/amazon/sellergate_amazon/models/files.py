"""The reader of Amazon's model files (OpenAPI 2 and 3, JSON), with the checks that the catalogue needs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sellergate_amazon.data_files import DataFileError, read_json

METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
_MOST_REFERENCES = 32


@dataclass(frozen=True, slots=True)
class Model:
    """One model file."""

    file: Path
    document: Mapping[str, Any]

    @property
    def version(self) -> str:
        """The API version in the file ("v0", "2021-06-30")."""
        return str(self.document["info"]["version"])

    @property
    def base_path(self) -> str:
        """The prefix of every path, without a trailing slash: OpenAPI 2's basePath (Amazon's OpenAPI 3 files have none)."""
        return str(self.document.get("basePath", "")).rstrip("/")

    def operations(self) -> Iterator[tuple[str, str, Mapping[str, Any], Mapping[str, Any]]]:
        """Yield the method ("GET"), path, operation object and path item of each operation."""
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    yield method.upper(), self.base_path + path, item[method], item

    def resolved(self, node: Any) -> Mapping[str, Any]:
        """Return a node after resolving its chain of `$ref` within the file. Raises DataFileError."""
        for _ in range(_MOST_REFERENCES):
            if not isinstance(node, Mapping):
                break
            if "$ref" not in node:
                return node
            node = self._target(str(node["$ref"]))
        raise DataFileError(self.file, "$ref", "must lead to an object, and not to itself")

    def _target(self, reference: str) -> Any:
        node: Any = self.document
        if not reference.startswith("#/"):
            raise DataFileError(self.file, reference, "must point into the same file")
        for part in reference[2:].split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(node, Mapping) or name not in node:
                raise DataFileError(self.file, reference, "points to nothing")
            node = node[name]
        return node


def read_models(folder: Path) -> list[Model]:
    """Return the models of a folder and its subfolders, in the order of their paths. Raises DataFileError.

    A JSON file that is not an OpenAPI document is an error, because a skipped model would look like removed operations.
    """
    if not folder.is_dir():
        raise DataFileError(folder, "", "is not a folder; give the folder `models` of Amazon's repository of models")
    models = [_read(file) for file in sorted(folder.rglob("*.json"))]
    if not models:
        raise DataFileError(folder, "", "has no model; give the folder `models` of Amazon's repository of models")
    return models


def _read(file: Path) -> Model:
    document = read_json(file)
    if not isinstance(document, dict) or not ({"swagger", "openapi"} & set(document)):
        raise DataFileError(file, "", "is not an OpenAPI document: it has neither `swagger` nor `openapi`")
    info, paths = document.get("info"), document.get("paths")
    if not isinstance(info, dict) or not isinstance(info.get("version"), str):
        raise DataFileError(file, "info.version", "must be a text")
    if not isinstance(paths, dict):
        raise DataFileError(file, "paths", "must be an object")
    for path, item in paths.items():
        if not isinstance(item, dict):
            raise DataFileError(file, f"paths[{path!r}]", "must be an object")
        for method in METHODS:
            if method in item:
                _check(file, f"{method.upper()} {path}", item[method])
    return Model(file, document)


def _check(file: Path, entry: str, operation: Any) -> None:
    if not isinstance(operation, dict):
        raise DataFileError(file, entry, "must be an object")
    if not isinstance(operation.get("operationId"), str) or not operation["operationId"]:
        raise DataFileError(file, entry, "needs an operationId")
    if not isinstance(operation.get("responses"), dict):
        raise DataFileError(file, entry, "needs responses")
