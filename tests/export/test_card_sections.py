"""Sections of the model card, as far as the test of an export does not show them."""

from types import SimpleNamespace

import pytest

from lit_mnist.export.card_sections import _own_classes


def kind(module, name):
    return type(name, (), {"__module__": module})


@pytest.mark.parametrize(
    ("classes", "imports", "argument"),
    [
        ((), "", ""),
        (
            (kind("b", "Net"), kind("a.c", "Tiny")),
            "from a.c import Tiny\nfrom b import Net\n",
            ", classes=[Net, Tiny]",
        ),
        (
            (kind("b", "Net"), kind("a.c", "Net")),
            "import a.c\nimport b\n",
            ", classes=[a.c.Net, b.Net]",
        ),
    ],
)
def test_two_classes_of_one_name_are_told_apart(classes, imports, argument):
    found = _own_classes(SimpleNamespace(trained=SimpleNamespace(classes=classes)))
    assert found == {"imports": imports, "classes": argument}
