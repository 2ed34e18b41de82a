"""Installed versions against requirements, for fake or broken packages."""

import platform
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from lit_mnist.doctor import software

INSTALLED = {"one": "1.5", "two": "2.0.dev3", "three": "3.1+cu130"}


@pytest.fixture
def installed(monkeypatch):
    def version(name):
        if name not in INSTALLED:
            raise metadata.PackageNotFoundError(name)
        return INSTALLED[name]

    monkeypatch.setattr(metadata, "version", version)


@pytest.mark.parametrize(
    ("needed", "expected"),
    [
        ("one>=1.6", ("one 1.5 is not >=1.6", "pip install 'one>=1.6'")),
        ("one<1.5,>=1", ("one 1.5 is not <1.5,>=1", "pip install 'one<1.5,>=1'")),
        ("four", ("four is not installed", "pip install 'four'")),
        ("two>=2.0", ("two 2.0.dev3 is not >=2.0", "pip install 'two>=2.0'")),
    ],
)
def test_missing_or_outdated_packages_are_listed(installed, needed, expected):
    [found] = software.packages([Requirement("one>=1"), Requirement(needed)])
    assert (found.verdict, found.text, found.remedy) == ("error", *expected)


def test_satisfied_requirements_take_one_line(installed):
    needed = [Requirement(text) for text in ("one>=1", "two", "three>=3.1", "one<2")]
    [found] = software.packages(needed)
    assert found.verdict == "ok"
    assert found.text == "4 as needed: one 1.5, two 2.0.dev3, three 3.1+cu130, ..."


def test_missing_extras_are_not_errors(installed):
    offered = {
        "whole": [Requirement("one")],
        "part": [Requirement("four>=4"), Requirement("one"), Requirement("lit-mnist[whole]")],
    }
    whole, part = software.extras(offered)
    assert (whole.verdict, whole.text, whole.remedy) == ("ok", "whole: complete", "")
    assert (part.verdict, part.text) == ("ok", "part: without four")
    assert part.remedy == "if you want it: pip install 'lit-mnist[part]'"


def test_python(monkeypatch):
    monkeypatch.setattr(platform, "python_version", lambda: "3.10.4")
    found = software.python(">=3.11")
    assert (found.verdict, found.text) == ("error", "3.10.4 is not >=3.11")
    assert software.python(">=3.10").verdict == "ok"


def test_a_library_whose_import_fails_is_reported(monkeypatch, tmp_path):
    (tmp_path / "broken_library.py").write_text("raise OSError('libcudart.so.13:\\ncannot open')")
    monkeypatch.syspath_prepend(tmp_path)
    found = software.imports(["json", "broken_library"])
    assert found.verdict == "error"
    assert found.text.startswith("broken_library cannot be imported (OSError: libcudart.so.13:")
    assert "\n" not in found.line()
    assert software.imports(["json"]).verdict == "ok"


def test_every_checked_import_belongs_to_a_requirement():
    needed = {one.name for one in software.needs().packages}
    assert {software.PACKAGES.get(name, name) for name in software.IMPORTED} == needed
    assert software.imports(software.IMPORTED).verdict == "ok"
    assert set(software.IMPORTED) <= set(sys.modules)


def test_requirements_in_a_clone_are_read_from_pyproject():
    needs = software.needs()
    assert needs.python == ">=3.11"
    assert any(str(one) == "lightning<2.7,>=2.6.6" for one in needs.packages)
    assert "pytest" in {one.name for one in needs.extras["dev"]}


def test_requirements_of_an_installed_package_are_read_from_metadata(monkeypatch):
    lines = ["one>=1", 'two; python_version < "3"', 'four>=4; extra == "part"']
    monkeypatch.setattr(metadata, "requires", lambda _: lines)
    about = {"Requires-Python": ">=3.12"}
    about = type("Message", (dict,), {"get_all": lambda *_: ["part"]})(about)
    monkeypatch.setattr(metadata, "metadata", lambda _: about)
    needs = software.needs(Path("nowhere/pyproject.toml"))
    assert needs.python == ">=3.12"
    assert [str(one) for one in needs.packages] == ["one>=1"]
    assert [one.name for one in needs.extras["part"]] == ["four"]


def test_the_pyproject_of_another_project_is_ignored(tmp_path):
    """As if the package's folder had been copied into another project."""
    other = tmp_path / "pyproject.toml"
    for text in ("[tool.ruff]\n", '[project]\nname = "theirs"\ndependencies = []\n'):
        other.write_text(text)
        assert "torch" in {one.name for one in software.needs(other).packages}
