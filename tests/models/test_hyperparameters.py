"""Hyperparameters of checkpoints: plain texts are taken as they are, and nothing is imported."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Literal  # noqa: UP035

import pytest
from torch import nn

from lit_mnist.errors import UnknownClassError
from lit_mnist.models import hyperparameters
from lit_mnist.models.modules import DenseModule
from lit_mnist.models.rebuild import rebuild

if TYPE_CHECKING:
    from nowhere import Unknown

NAME = "not_imported.Net"


class Noted(DenseModule):
    def __init__(
        self,
        text: str = "",
        optional: str | None = None,
        one_of: Literal["not_imported.Net", 1] = 1,
        number: int | float | str = 1,
        several: Sequence[str] = (),
        nested: dict[str, list[str] | None] | None = None,
        pair: tuple[str, ...] = (),
        path: Path | None = None,
        *,
        anything: Any = None,
        class_or_text: type | str = "",
        called: Callable | str = "",
        layer: nn.Module | str | None = None,
        unknown_parts: list | None = None,
        bare: List = (),  # noqa: UP006
        part: list[Any] | None = None,
        untyped=None,
        untyped_class=nn.ReLU,
    ):
        super().__init__()
        self.given = dict(locals())


class Guessing(DenseModule):
    """Its annotations cannot be resolved."""

    def __init__(self, text: str = "", other: Unknown = None):
        super().__init__()


class Open(DenseModule):
    def __init__(self, **kwargs: str):
        super().__init__()


class Parent(DenseModule):
    def __init__(self, options: nn.Module | None = None):
        super().__init__()


class Passing(Parent):
    """What it passes on is called as a parameter of its parent."""

    def __init__(self, text=1, **options):
        super().__init__(**options)


@pytest.fixture(autouse=True)
def harmful(tmp_path, monkeypatch):
    """A file that must not be imported."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "not_imported.py").write_text("raise SystemExit('imported')")
    yield
    assert "not_imported" not in sys.modules


def checkpoint(kind, **options):
    name = {"_class_path": f"{kind.__module__}.{kind.__qualname__}"}
    return {"state_dict": kind().state_dict(), "hyper_parameters": name | options}


PLAIN = {
    "text": NAME,
    "optional": NAME,
    "one_of": NAME,
    "number": NAME,
    "several": [NAME],
    "nested": {"class_path": [NAME]},
    "pair": [NAME, "test.log"],
    "path": "not_imported.pt",
    "anything": NAME,
    "untyped": NAME,
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_text_of_a_plain_parameter_is_no_name(tmp_path, name):
    module = rebuild(checkpoint(Noted, **{name: PLAIN[name]}), tmp_path / "a.ckpt")
    given = module.given[name]
    kept = list(given) if name == "pair" else str(given) if name == "path" else given
    assert kept == PLAIN[name]


WRITTEN = {
    "bare": NAME,
    "dictionary": {"class_path": NAME},
    "list": [{"class_path": NAME}],
    "JSON": json.dumps({"class_path": NAME}),
    "YAML": "class_path: not_imported.Net",
    "escaped": r'{"class_path": "not_imported\u002eNet"}',
    "JSON in JSON": json.dumps({"class_path": "torch.nn.ReLU", "a": json.dumps([NAME])}),
}
OTHERS = (
    "anything",
    "class_or_text",
    "called",
    "layer",
    "unknown_parts",
    "bare",
    "part",
    "untyped",
    "untyped_class",
)


CASES = [(name, how) for name in OTHERS for how in WRITTEN if how != "bare" or name not in PLAIN]


@pytest.mark.parametrize(("name", "how"), CASES)
def test_one_that_may_name_a_class_is_refused_however_it_is_written(tmp_path, name, how):
    with pytest.raises(UnknownClassError, match=r"name not_imported\.Net, which is not known"):
        rebuild(checkpoint(Noted, **{name: WRITTEN[how]}), tmp_path / "a.ckpt")


def test_names_of_other_alphabets_are_names(tmp_path):
    (tmp_path / "été.py").write_text("raise SystemExit('imported')")
    with pytest.raises(UnknownClassError, match=r"été\.Net"):
        rebuild(checkpoint(Noted, layer={"class_path": "été.Net"}), tmp_path / "a.ckpt")


@pytest.mark.parametrize("kind", [Guessing, Open])
def test_what_is_not_declared_may_name_a_class(tmp_path, kind):
    with pytest.raises(UnknownClassError, match=r"not_imported\.Net"):
        hyperparameters.arguments(checkpoint(kind, text=NAME), kind, tmp_path / "a.ckpt")


def test_what_is_passed_on_has_the_types_of_the_parent(tmp_path):
    with pytest.raises(UnknownClassError, match=r"not_imported\.Net"):
        hyperparameters.arguments(checkpoint(Passing, options=NAME), Passing, tmp_path / "a.ckpt")


@pytest.mark.parametrize("text", ["[not closed", "a: b: c", "{not_imported.Net", "x.", ".", ""])
def test_other_texts_are_taken_as_they_are(tmp_path, text):
    module = rebuild(checkpoint(Noted, anything=text), tmp_path / "a.ckpt")
    assert module.given["anything"] == text


def test_aliases_are_not_followed_again_and_again(tmp_path):
    """Forty lists of two, each twice in the next, which written out would be 10^12 texts."""
    lines = ["- &a0 [x, y]", *(f"- &a{k} [*a{k - 1}, *a{k - 1}]" for k in range(1, 40))]
    given = checkpoint(Noted, anything="\n".join(lines))
    assert hyperparameters.arguments(given, Noted, tmp_path / "a.ckpt")["anything"]
