"""The maps of the rooms are complete, and imports between rooms run one way."""

import ast
import importlib
import re
from pathlib import Path

import pytest

import lit_mnist

PACKAGE = Path(lit_mnist.__file__).parent
ENTRY = re.compile(r"^ *(\w+)  +\S", re.M)
ROOMS = ENTRY.findall(lit_mnist.__doc__)  # from top to bottom
FOLDERS = [path.parent.name for path in sorted(PACKAGE.glob("*/__init__.py"))]


def imported_rooms(path):
    """The rooms that a file imports from, at any place."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "lit_mnist":
            names = [f"lit_mnist.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names = [node.module]
        else:
            continue
        yield from (name.split(".")[1] for name in names if name.startswith("lit_mnist."))


def test_the_package_docstring_lists_exactly_the_rooms():
    there = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    assert sorted(ROOMS) == sorted(there | set(FOLDERS))


@pytest.mark.parametrize("room", FOLDERS)
def test_a_room_s_docstring_lists_exactly_its_files(room):
    listed = ENTRY.findall(importlib.import_module(f"lit_mnist.{room}").__doc__)
    there = {path.stem for path in (PACKAGE / room).glob("*.py")} - {"__init__"}
    assert sorted(listed) == sorted(there)


def test_a_room_imports_only_from_rooms_below_it():
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {other}"
        for place, room in enumerate(ROOMS)
        for path in [*(PACKAGE / room).glob("*.py"), *PACKAGE.glob(f"{room}.py")]
        for other in imported_rooms(path)
        if ROOMS.index(other) < place
    ]
    assert not wrong


def test_public_names_of_rooms_can_be_imported():
    for room in ("data", "models"):
        face = importlib.import_module(f"lit_mnist.{room}")
        for name in face.__all__:
            assert getattr(face, name).__name__ == name
        with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
            face.nothing  # noqa: B018 # which is the point


def test_no_file_is_over_200_lines():
    assert not [path for path in PACKAGE.rglob("*.py") if path.read_text().count("\n") > 200]
