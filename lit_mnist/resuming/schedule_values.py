"""How a learning-rate schedule differs from the one whose state is loaded into it.

`load_state_dict` of PyTorch's schedules replaces nearly all of their attributes: not only how far
they have come, but also the arguments that they were made with.
"""

import inspect
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from torch.optim.lr_scheduler import LambdaLR

from lit_mnist.models.plateau import Plateau

_PARTS = "_schedulers"  # those that SequentialLR and ChainedScheduler are made of
# What PyTorch's schedules compute from their arguments, or keep under another name
_COMPUTED = {"_milestones", "total_size", "step_ratio"}
# The place that a schedule begins at; and the rates, of which other parts of the program tell
_NO_SHAPE = {"last_epoch", "lr", "base_lr", "max_lr", "swa_lr"}
# What a function of the step reads if it goes by the place of training instead
_PLACE = {"global_step", "current_epoch"}


def changed(made: Any, stored: Any) -> Iterator[str]:
    """Yields the arguments in which a schedule differs from a stored one, with both values.

    Those of our `Plateau` are the options of its module, of which `fit` tells.

    Args:
        made: The schedule, before the state is loaded.
        stored: The state.
    """
    now = made.state_dict()
    if isinstance(made, Plateau) or not (isinstance(now, Mapping) and isinstance(stored, Mapping)):
        return  # a user's state may be anything
    yield from _different(_arguments(made) | _COMPUTED, stored, now)
    functions = zip(*(state.get("lr_lambdas", ()) for state in (stored, now)), strict=False)
    for function, (before, after) in zip(getattr(made, "lr_lambdas", ()), functions, strict=False):
        if before and after:  # the attributes of a callable object
            yield from _different(_arguments(function), before, after)
    for part, state in _parts(made, stored):
        yield from changed(part, state)


def _different(names: set[str], stored: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(names & stored.keys() & now.keys()):
        before, after = (_plain(state[name]) for state in (stored, now))
        if before != after and type(None) not in (type(before), type(after)):
            yield f"{name.removeprefix('_')} {before} and would now have {after}"


def _arguments(made: Any) -> set[str]:
    """Returns the names of the arguments that an object's class, and those above it, take."""
    kinds = [kind for kind in type(made).__mro__ if "__init__" in vars(kind) and kind is not object]
    found: set[str] = set()
    for kind in kinds:
        with suppress(ValueError, TypeError):  # of a class that is not written in Python
            found.update(inspect.signature(kind).parameters)
    return found - _NO_SHAPE


def _plain(value: Any) -> Any:
    """Returns a value that can be compared and shown; None of any other."""
    if isinstance(value, Counter):  # epochs at which the rate falls
        return sorted(value.elements())
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    value = value.item() if hasattr(value, "item") and not getattr(value, "shape", ()) else value
    return value if isinstance(value, (bool, int, float, str)) else None


def other_rates(loaded: Any) -> Iterator[str]:
    """Yields the rates of a LambdaLR, at the step it has reached, that it would not compute now.

    Its state holds no function, whose length may be that of training.

    Args:
        loaded: The schedule, after the state is loaded.
    """
    if isinstance(loaded, LambdaLR) and loaded.last_epoch >= 0:  # below: not begun yet
        groups = zip(loaded.lr_lambdas, loaded.base_lrs, loaded.get_last_lr(), strict=False)
        for function, base, before in groups:
            code = getattr(getattr(function, "func", function), "__code__", None)
            if not _PLACE & {*getattr(code, "co_names", ())}:
                yield from _other_rate(function, loaded.last_epoch, float(base), float(before))
    for part in getattr(loaded, _PARTS, ()):
        yield from other_rates(part)


def _other_rate(function: Any, step: int, base: float, before: float) -> Iterable[str]:
    with suppress(Exception):  # whatever a user's function may raise; training calls it again
        after = base * float(function(step))
        if not math.isclose(before, after, rel_tol=1e-6, abs_tol=1e-12):
            return [f"a rate of {before:.6g} at its step {step} and would now have {after:.6g}"]
    return []


def _parts(made: Any, stored: Mapping[str, Any]) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    return zip(getattr(made, _PARTS, ()), stored.get(_PARTS, ()), strict=False)
