"""The reference of the gRPC contracts, from the comments of the protos."""

import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

HEAD = """# gRPC

The contracts below `protos/`, with their comments. The wheel has the same files in the package `sellergate`, for `protoc -I`; every
server has reflection. The permitted callers of each method are in the [threat model](../threat-model.md).
"""
# Numbers of fields in descriptor.proto, of which the paths of comments consist.
_MESSAGES, _ENUMS, _SERVICES, _MEMBERS, _NESTED, _NESTED_ENUMS = 4, 5, 6, 2, 3, 4


class Comments:
    """The comments of a file by the path of what they precede."""

    def __init__(self, file: FileDescriptorProto) -> None:
        places = file.source_code_info.location
        self._by_path = {tuple(one.path): one.leading_comments or one.trailing_comments for one in places}

    def at(self, *path: int) -> str:
        """Return a comment in one line."""
        return " ".join(self._by_path.get(path, "").split())


def page(root: Path) -> str:
    """Return the page. Raises RuntimeError when protoc refuses a file."""
    return HEAD + "".join(text for file in described(root) for text in _file(file))


def described(root: Path) -> list[FileDescriptorProto]:
    """Return the descriptors of all protos with their comments. Raises RuntimeError when protoc refuses a file."""
    from grpc_tools import protoc  # noqa: PLC0415  (a package of the extra `docs`, absent when this file is only linted)

    source = root / "protos"
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "set"
        protos = sorted(str(path) for path in source.rglob("*.proto"))
        includes = [f"-I{source}", f"-I{files('grpc_tools') / '_proto'}"]
        if protoc.main(["protoc", *includes, "--include_source_info", f"--descriptor_set_out={output}", *protos]) != 0:
            raise RuntimeError("protoc refused the contracts below protos/; its messages are above")
        return list(FileDescriptorSet.FromString(output.read_bytes()).file)


def _file(file: FileDescriptorProto) -> Iterator[str]:
    comments = Comments(file)
    yield f"\n## {file.name}\n"
    for index, service in enumerate(file.service):
        yield from _service(service, comments, index)
    for index, message in enumerate(file.message_type):
        yield from _message(message, comments, (_MESSAGES, index), "")
    for index, enum in enumerate(file.enum_type):
        yield from _enum(enum, comments, (_ENUMS, index), "")


def _service(service: ServiceDescriptorProto, comments: Comments, index: int) -> Iterator[str]:
    yield f"\n### {service.name}\n\n{_cell(comments.at(_SERVICES, index))}\n"
    yield "\n| method | request | response | |\n|---|---|---|---|\n"
    for number, method in enumerate(service.method):
        request = ("stream " if method.client_streaming else "") + _short(method.input_type)
        response = ("stream " if method.server_streaming else "") + _short(method.output_type)
        words = _cell(comments.at(_SERVICES, index, _MEMBERS, number))
        yield f"| `{method.name}` | {request} | {response} | {words} |\n"


def _message(message: DescriptorProto, comments: Comments, path: tuple[int, ...], owner: str) -> Iterator[str]:
    if message.options.map_entry:
        return
    name = f"{owner}{message.name}"
    yield f"\n### {name}\n\n{_cell(comments.at(*path))}\n"
    if message.field:
        yield "\n| field | type | |\n|---|---|---|\n"
    for number, field in enumerate(message.field):
        yield f"| `{field.name}` | {_type(field)} | {_cell(comments.at(*path, _MEMBERS, number))} |\n"
    for number, nested in enumerate(message.nested_type):
        yield from _message(nested, comments, (*path, _NESTED, number), f"{name}.")
    for number, enum in enumerate(message.enum_type):
        yield from _enum(enum, comments, (*path, _NESTED_ENUMS, number), f"{name}.")


def _enum(enum: EnumDescriptorProto, comments: Comments, path: tuple[int, ...], owner: str) -> Iterator[str]:
    yield f"\n### {owner}{enum.name}\n\n{_cell(comments.at(*path))}\n\n| value | |\n|---|---|\n"
    for number, value in enumerate(enum.value):
        yield f"| `{value.name}` | {_cell(comments.at(*path, _MEMBERS, number))} |\n"


def _type(field: FieldDescriptorProto) -> str:
    kind = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    name = _short(field.type_name) if field.type_name else kind
    return f"repeated {name}" if field.label == FieldDescriptorProto.LABEL_REPEATED else name


def _short(name: str) -> str:
    return f"`{name.rpartition('.')[2]}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("[", "\\[")
