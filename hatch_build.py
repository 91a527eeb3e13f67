"""Compile protos/ into libs/stubs/ whenever the project is installed or built.

The stubs are typed (mypy-protobuf) and never committed: the protos are the design.
"""

import shutil
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class StubsBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs before every wheel and every editable install."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Generate the stubs below the project root."""
        compile_protos(Path(self.root))


def compile_protos(root: Path) -> None:
    """Compile every proto below `root`/protos into `root`/libs/stubs.

    Raises RuntimeError when protoc refuses a file; protoc has then printed why.
    """
    from grpc_tools import protoc  # noqa: PLC0415  (a build requirement, absent when this file is only linted)

    source, target = root / "protos", root / "libs" / "stubs"
    shutil.rmtree(target / "sellergate", ignore_errors=True)
    target.mkdir(parents=True, exist_ok=True)
    protos = sorted(str(path) for path in source.rglob("*.proto"))
    arguments = [
        "protoc",
        f"--plugin=protoc-gen-mypy={_plugin(root, 'protoc-gen-mypy', 'mypy_protobuf.main', 'main')}",
        f"--plugin=protoc-gen-mypy_grpc={_plugin(root, 'protoc-gen-mypy_grpc', 'mypy_protobuf.main', 'grpc')}",
        f"-I{source}",
        f"-I{files('grpc_tools') / '_proto'}",
        *(f"--{kind}_out={target}" for kind in ("python", "grpc_python")),
        f"--mypy_out={target}",
        f"--mypy_grpc_out={target}",
        *protos,
    ]
    if protoc.main(arguments) != 0:
        raise RuntimeError("protoc refused the contracts below protos/; its messages are above")
    for folder in (target / "sellergate").rglob("*"):
        if folder.is_dir() and folder.name != "__pycache__":
            (folder / "__init__.py").touch()
    (target / "sellergate" / "__init__.py").touch()
    # The contracts travel with the stubs, for programs in other languages and for `protoc -I`.
    for proto in source.rglob("*.proto"):
        shutil.copyfile(proto, target / proto.relative_to(source))
    (target / "sellergate" / "py.typed").touch()


def _plugin(root: Path, name: str, module: str, function: str) -> Path:
    """Write a protoc plugin that runs with this very interpreter: PATH is not to be trusted in a build environment."""
    script = root / "libs" / "stubs" / ".plugins" / name
    script.parent.mkdir(parents=True, exist_ok=True)
    path_entries = [entry for entry in sys.path if entry]
    script.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path[:] = {path_entries!r}\n"
        f"from {module} import {function}\n{function}()\n"
    )
    script.chmod(0o755)
    return script


if __name__ == "__main__":
    compile_protos(Path(__file__).parent)
