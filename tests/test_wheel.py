"""What a wheel holds: every room, and every config."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def test_every_room_is_packed():
    rooms = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "lit_mnist").rglob("__init__.py")
    }
    assert rooms == {name for name in SETUPTOOLS["packages"] if "configs" not in name}


def test_every_config_is_packed_where_the_program_looks_for_it():
    packed = set()
    for package, patterns in SETUPTOOLS["package-data"].items():
        folder = package.replace("lit_mnist.configs", "configs").replace(".", "/")
        if package != "lit_mnist":
            assert package in SETUPTOOLS["packages"]
            packed |= {path for pattern in patterns for path in (ROOT / folder).glob(pattern)}
    assert packed == {path for path in (ROOT / "configs").rglob("*") if path.is_file()}
    assert SETUPTOOLS["package-dir"] == {"lit_mnist.configs": "configs"}
