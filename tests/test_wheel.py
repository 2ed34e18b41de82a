"""The wheel contains every room, config, template and file of the page."""

import tomllib
from pathlib import Path

from lit_mnist.demo.assets import NAMES

ROOT = Path(__file__).parent.parent
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
TEMPLATES = "lit_mnist.reports.templates"


def test_every_room_is_packed():
    rooms = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "lit_mnist").rglob("__init__.py")
    }
    packages = {name for name in SETUPTOOLS["packages"] if "configs" not in name}
    assert rooms | {TEMPLATES} == packages


def test_every_config_is_packed_where_the_program_finds_it():
    assert packed("lit_mnist.configs") == {
        path for path in (ROOT / "configs").rglob("*") if path.is_file()
    }
    assert SETUPTOOLS["package-dir"] == {"lit_mnist.configs": "configs"}


def test_every_template_is_packed():
    folder = ROOT / "lit_mnist/reports/templates"
    assert packed("lit_mnist.reports") == set(folder.iterdir())


def test_every_folder_of_data_files_is_a_package():
    """Otherwise setuptools prints a 40-line warning at each `pip wheel`."""
    data = SETUPTOOLS["package-data"].values()
    assert not [pattern for patterns in data for pattern in patterns if "/" in pattern]


def test_every_file_of_the_page_is_packed():
    there = {path for path in (ROOT / "lit_mnist/demo").iterdir() if path.is_file()}
    assert packed("lit_mnist.demo") == {path for path in there if path.suffix != ".py"}
    assert {path.name for path in packed("lit_mnist.demo")} == set(NAMES)


def packed(above):
    """The data files packed for a package and its sub-packages."""
    found = set()
    for package, patterns in SETUPTOOLS["package-data"].items():
        folder = package.replace("lit_mnist.configs", "configs").replace(".", "/")
        if f"{package}.".startswith(f"{above}."):
            assert package in SETUPTOOLS["packages"]
            found |= {path for pattern in patterns for path in (ROOT / folder).glob(pattern)}
    return found
