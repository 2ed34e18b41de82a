"""Checks Python, packages and extras against the required versions, without torch."""

import importlib
import platform
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from lit_mnist.doctor.finding import Finding
from lit_mnist.errors import one_line

NAME = "lit-mnist"
PYPROJECT = Path(__file__).parent.parent.parent / "pyproject.toml"  # of a clone
# Modules that may fail to import although installed, such as one compiled for another CUDA
IMPORTED = (
    *("numpy", "torch", "torchvision", "lightning", "torchmetrics", "jsonargparse"),
    *("yaml", "PIL", "cv2", "matplotlib", "filelock", "tensorboard", "tqdm"),
    *("scipy", "jinja2", "packaging"),
)
# Packages of modules of another name
PACKAGES = {"yaml": "pyyaml", "PIL": "pillow", "cv2": "opencv-python-headless"}


class Needs(NamedTuple):
    """The requirements of this package."""

    python: str  # such as >=3.11
    packages: Sequence[Requirement]
    extras: Mapping[str, Sequence[Requirement]]


def needs(pyproject: Path = PYPROJECT) -> Needs:
    """Reads the requirements from a clone's pyproject.toml, or else from the installed metadata."""
    text = pyproject.read_text(encoding="utf-8") if pyproject.is_file() else ""
    project = tomllib.loads(text).get("project", {})
    if project.get("name") == NAME:  # not of a project that this package was copied into
        extras = project.get("optional-dependencies", {})
        return Needs(
            project["requires-python"],
            [Requirement(text) for text in project["dependencies"]],
            {name: [Requirement(text) for text in texts] for name, texts in extras.items()},
        )
    everything = [Requirement(text) for text in metadata.requires(NAME) or []]
    info = metadata.metadata(NAME)
    extras = {
        name: [one for one in everything if one.marker and one.marker.evaluate({"extra": name})]
        for name in info.get_all("Provides-Extra") or []
    }
    base = [one for one in everything if not one.marker or one.marker.evaluate({"extra": ""})]
    return Needs(info["Requires-Python"], base, extras)


def python(needed: str) -> Finding:
    """Compares the version of Python with the required one."""
    version = platform.python_version()
    if SpecifierSet(needed).contains(version, prereleases=True):
        return Finding("python", "ok", version)
    return Finding(
        "python", "error", f"{version} is not {needed}", "make a new environment with it"
    )


def packages(needed: Sequence[Requirement]) -> list[Finding]:
    """Compares installed versions with the required ones; one finding for each wrong one."""
    wrong = [
        Finding("packages", "error", fault, f"pip install {str(one)!r}")
        for one in needed
        if (fault := _fault(one))
    ]
    shown = ", ".join(f"{one.name} {metadata.version(one.name)}" for one in needed[:3] if not wrong)
    return wrong or [Finding("packages", "ok", f"{len(needed)} as needed: {shown}, ...")]


def extras(offered: Mapping[str, Sequence[Requirement]]) -> Iterator[Finding]:
    """Lists the extras and their missing packages, which are not an error."""
    for name, needed in offered.items():
        external = [one for one in needed if one.name != NAME]  # an extra may hold another
        missing = [one.name for one in external if _fault(one)]
        text = f"{name}: {'without ' + ', '.join(missing) if missing else 'complete'}"
        remedy = f"if you want it: pip install '{NAME}[{name}]'" if missing else ""
        yield Finding("extras", "ok", text, remedy)


def imports(names: Sequence[str] = IMPORTED) -> Finding:
    """Imports the required packages."""
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:  # a library that is missing, or of another version
            text = f"{name} cannot be imported ({type(error).__name__}: {one_line(error):.200})"
            remedy = f"pip install --force-reinstall {PACKAGES.get(name, name)}"
            return Finding("imports", "error", text, remedy)
    return Finding("imports", "ok", ", ".join(names))


def _fault(needed: Requirement) -> str:
    """Returns the problem with an installed package; empty if there is none."""
    try:
        version = metadata.version(needed.name)
    except metadata.PackageNotFoundError:
        return f"{needed.name} is not installed"
    fits = needed.specifier.contains(version, prereleases=True)
    return "" if fits else f"{needed.name} {version} is not {needed.specifier}"
