"""Finds the class that trained a checkpoint, and checks that a module is of that class.

A checkpoint may name any class, so only classes that are imported already are used: ours, and those
named by the user's command, config or program. Nothing is imported because a file says so. Matching
weight shapes prove nothing: the same layers may be joined by another activation.
"""

import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lit_mnist.errors import UnknownClassError, UserError
from lit_mnist.models.modules import ClassifierModule
from lit_mnist.models.scoring import ScoredModule
from lit_mnist.models.trained import OF_READING, OURS
from lit_mnist.runs import checkpoints, entries

# These affect how a network is trained, not what it predicts
OF_TRAINING = frozenset(inspect.signature(ClassifierModule).parameters) - {*OF_READING}


def trained_class(
    checkpoint: dict[str, Any], path: Path, classes: Sequence[type] = ()
) -> type[ScoredModule]:
    """Returns the class that a checkpoint names, if it is imported.

    Args:
        checkpoint: As returned by `checkpoints.read`.
        path: Its file, for error messages.
        classes: Classes that the user names. One defined in a script, `__main__.X`, is found by
            its bare name. If there is exactly one module among them, a checkpoint that names no
            class is taken to be of it.

    Raises:
        UnknownClassError: The class is not known; names it and what makes it known.
    """
    name, names = checkpoints.class_name(checkpoint), checkpoints.class_names(checkpoint)
    modules = [kind for kind in classes if issubclass(kind, ScoredModule)]
    if not name and len(modules) == 1:
        return modules[0]
    # the latest first: a notebook cell that is run again defines its class again
    latest = [*_subclasses(ScoredModule)][::-1]
    found = [kind for kind in latest if any(is_named(kind, one) for one in names)]
    # torch.export leaves copies of the classes that it has traced, under the same names; and the
    # name that the user called it by may now be another class's
    found.sort(key=lambda kind: (not is_named(kind, name), _is_copy(kind)))
    if not found and name.startswith("__main__."):
        found = [kind for kind in modules if kind.__name__ == name.rpartition(".")[2]]
    if found:
        return found[0]
    if not name:
        raise UnknownClassError(f"{path}: names no class, such as my_module.Net", "my_module.Net")
    shown = ascii(name)[1:-1][:99]
    problem = f"{path}: trained with {shown}, which is not known here"
    raise UnknownClassError(problem, shown, _if_moved(name, modules))


def is_named(kind: type, name: str) -> bool:
    """Returns whether a name in a checkpoint means this class, by its own name or an alias.

    Our classes have moved between modules since version 0.1, so only their last name counts.
    """
    if kind.__module__.partition(".")[0] == OURS:
        root, _, last = name.partition(".")[0], *name.rpartition(".")[1:]
        return (root, last) == (OURS, kind.__name__)
    return name == f"{kind.__module__}.{kind.__qualname__}" or _loaded(name) is kind


def check_same_module(
    checkpoint: dict[str, Any],
    model: ScoredModule,
    path: Path,
    given: Mapping[str, Any] | None = None,
) -> None:
    """Refuses to evaluate weights with another module than the one that trained them.

    Args:
        checkpoint: As returned by `checkpoints.read`.
        model: The module.
        path: The checkpoint's file, for error messages.
        given: The arguments that the module was built with, where it keeps no hyperparameters.

    Raises:
        UserError: Naming the class, or the hyperparameter that differs.
    """
    names, kind = checkpoints.class_names(checkpoint), type(model)
    name = checkpoints.class_name(checkpoint)
    of_script = name.startswith("__main__.") and name.rpartition(".")[2] == kind.__name__
    if names and not any(is_named(kind, one) for one in names) and not of_script:
        raise UserError(
            f"{path}: trained with {ascii(name)[1:-1]:.99}, not {kind.__module__}.{kind.__name__};"
            f" take the --config or the --model that it was trained with{_if_moved(name, [kind])}"
        )
    free = OF_TRAINING if isinstance(model, ClassifierModule) else frozenset[str]()
    for key, trained in public_hyperparameters(checkpoint).items():
        current = {**(given or {}), **model.hparams}.get(key, trained)
        if key not in free and _is_plain(trained) and _is_plain(current) and current != trained:
            raise UserError(
                f"{path}: trained with --model.{key} {_shown(trained)}, not {_shown(current)};"
                " take the --config or the option that it was trained with"
            )


def _if_moved(name: str, kinds: Sequence[type]) -> str:
    """Returns what to do if a class of the same last name is the one in another file; or nothing.

    Args:
        name: The name in a checkpoint.
        kinds: The classes that the user names.
    """
    module, _, last = ascii(name)[1:-1].rpartition(".")
    now = next((kind.__module__ for kind in kinds if kind.__name__ == last), None)
    if now is None:
        return ""
    return f", or if it has moved, add `from {now} import {last}` to {module:.99} and name it there"


def _subclasses(kind: type[ScoredModule]) -> Iterator[type[ScoredModule]]:
    """Yields all direct and indirect subclasses, in the order in which they were defined."""
    for below in kind.__subclasses__():
        yield below
        yield from _subclasses(below)


def _is_copy(kind: type) -> bool:
    return _loaded(f"{kind.__module__}.{kind.__qualname__}") is not kind


def _loaded(name: str) -> object:
    """Resolves a dotted name within the modules that are imported; None if it is not there."""
    module, _, last = name.rpartition(".")
    return vars(sys.modules[module]).get(last) if module in sys.modules else None


def public_hyperparameters(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Returns what a module was built with, without the entries that Lightning adds for itself.

    A module may save no hyperparameters, or only some; the command line notes them all.
    """
    given = entries.get(checkpoint, entries.MODEL_OPTIONS, {}).get("init_args")
    values = {
        **(given if isinstance(given, dict) else {}),
        **checkpoint.get("hyper_parameters", {}),
    }
    return {k: v for k, v in values.items() if isinstance(k, str) and not k.startswith("_")}


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str))


def _shown(value: Any) -> str:
    if value is None:
        return "null"  # as it is typed
    return ascii(value)[:99] if not isinstance(value, str) else ascii(value)[1:-1][:99]
