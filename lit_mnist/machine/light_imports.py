"""Imports Lightning without the packages that torchmetrics imports for image and audio metrics.

Like the other work-arounds, `LIT_MNIST_WITHOUT=light_imports` switches it off. It has its own file
because it must run before Lightning is imported, and `workarounds` imports it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SWITCH = "LIT_MNIST_WITHOUT"  # an environment variable, so that it reaches all processes of a run
NAME = "light_imports"
_CHECK, _PACKAGE = "_check_requirement", "package_available"  # they check for an installed package
# Packages that torchmetrics imports if they are installed: torchvision, and thus torch._dynamo, for
# `ARNIQA` and `torchmetrics.detection`; scipy.signal for a package of speech metrics
_UNUSED = ("torchvision", "scipy")


@contextmanager
def light_imports() -> Iterator[None]:
    """Hides two packages from torchmetrics while it is imported.

    Afterwards torchmetrics finds them again, except in `torchmetrics.detection` and ARNIQA. Gain: a
    fifth of the import time of `fit`, from 7.7 to 6.3 CPU seconds on a busy machine (n=3,
    alternating). (torchmetrics 1.9: `__init__.py`, `functional/image/arniqa.py`.)
    """
    if NAME in os.environ.get(SWITCH, "").split(","):
        yield
        return
    try:
        from lightning_utilities.core import imports
        from lightning_utilities.core.imports import RequirementCache
    except ImportError:  # Lightning is not installed, which `doctor` reports
        yield
        return
    check, hidden = getattr(RequirementCache, _CHECK), []

    def unused(requirement: Any) -> None:
        if requirement.requirement in _UNUSED:
            requirement.available, requirement.message = False, "left out by lit_mnist"
            hidden.append(requirement)
        else:
            check(requirement)

    available = imports.package_available
    setattr(imports, _PACKAGE, lambda name: name not in _UNUSED and available(name))
    setattr(RequirementCache, _CHECK, unused)
    try:
        yield
    finally:
        setattr(imports, _PACKAGE, available)
        setattr(RequirementCache, _CHECK, check)
        for requirement in hidden:
            del requirement.available, requirement.message
