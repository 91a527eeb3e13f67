"""`sellergate catalogue`: generates the gateway's catalogue of operations from Amazon's API models and compares both."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from sellergate_amazon.catalogue_file import text_of
from sellergate_amazon.data_files import DataFileError
from sellergate_amazon.models.changes import Change, changes
from sellergate_amazon.models.making import Made, made
from sellergate_amazon.models.overrides import REVIEWED, Overrides
from sellergate_amazon.operations import BUNDLED, Catalogue

from sellergate_cli.options import Json
from sellergate_cli.output import print_rows
from sellergate_cli.terminal import harmless, say

app = typer.Typer(help="Generate and check the gateway's catalogue of operations.", no_args_is_help=True)
_COLUMNS = ("kind", "operation", "before", "after")
_Models = Annotated[
    Path, typer.Argument(metavar="DIR", help="Folder `models` of Amazon's repository selling-partner-api-models.")
]
_Against = Annotated[Path, typer.Option(metavar="FILE", help="Catalogue to compare with; defaults to this release's.")]
_Overrides = Annotated[
    Path, typer.Option(metavar="FILE", help="Reviewed facts that the models lack; defaults to this release's.")
]


@app.command()
def diff(models: _Models, against: _Against = BUNDLED, overrides: _Overrides = REVIEWED, as_json: Json = False) -> None:
    """List changes in Amazon's models: added, removed and moved operations, and changed facts."""
    found, new = _compared(models, against, overrides)
    _report(found, new, as_json=as_json)


@app.command()
def check(
    path: Annotated[Path, typer.Argument(metavar="DIR|FILE", help="Folder of models, or a catalogue file.")],
    against: _Against = BUNDLED,
    overrides: _Overrides = REVIEWED,
    as_json: Json = False,
) -> None:
    """Validate a catalogue file as the gateway does at startup, or compare a folder of models with the catalogue.

    Exit code 1 if the file is invalid or the models differ.
    """
    if not path.is_dir():
        say(f"{len(_catalogue(path))} operations", err=as_json)
        return
    found, new = _compared(path, against, overrides)
    _report(found, new, as_json=as_json)
    if found or new.notes:
        raise typer.Exit(1)


@app.command()
def make(
    models: _Models,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="File to write.")],
    overrides: _Overrides = REVIEWED,
) -> None:
    """Generate a catalogue file for SELLERGATE_CATALOGUE. Equal inputs give an identical file."""
    new = _made(models, overrides)
    try:
        # A concurrent reader finds the old file or the new one, never a part.
        partial = output.with_name(f"{output.name}.partial")
        partial.write_text(text_of(new.rows), "utf-8")
        partial.replace(output)
    except OSError as error:
        _refuse(DataFileError(output, "", f"cannot be written: {error.strerror}"))
    say(f"{len(new.rows)} operations")
    _notes(new)


def _compared(models: Path, against: Path, overrides: Path) -> tuple[list[Change], Made]:
    new = _made(models, overrides)
    return changes(_catalogue(against), Catalogue.of_rows(new.rows)), new


def _made(models: Path, overrides: Path) -> Made:
    try:
        return made(models, Overrides.read(overrides))
    except DataFileError as error:
        _refuse(error)


def _catalogue(file: Path) -> Catalogue:
    try:
        return Catalogue.read(file)
    except DataFileError as error:
        _refuse(error)


def _report(found: list[Change], new: Made, *, as_json: bool) -> None:
    if found or as_json:
        print_rows(map(asdict, found), _COLUMNS, as_json=as_json)
    say(f"{len(new.rows)} operations, {len(found)} changes", err=as_json)
    _notes(new)


def _notes(new: Made) -> None:
    for note in new.notes:
        say(f"Note: {harmless(note)}", err=True)


def _refuse(error: DataFileError) -> NoReturn:
    say(harmless(error), err=True)
    raise typer.Exit(1) from None
