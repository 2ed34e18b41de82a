"""The callbacks among a config's options: as a list, and of which class each one is."""

import sys
from typing import Any

_PLACES = ("", "lightning", "pytorch_lightning")


def listed(config: dict[str, Any]) -> dict[str, Any]:
    """Returns a config whose callbacks are a list, also if there is only one, or none."""
    trainer = config.get("trainer") or {}
    callbacks = trainer.get("callbacks")
    if "callbacks" not in trainer or isinstance(callbacks, list):
        return config
    return config | {"trainer": trainer | {"callbacks": [callbacks] if callbacks else []}}


def all_of(config: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Returns the options of the callbacks of a class of Lightning's, or of one below it."""
    callbacks = (listed(config).get("trainer") or {}).get("callbacks") or []
    return [one for one in callbacks if is_of(one, kind)]


def is_of(callback: Any, kind: str) -> bool:
    """Returns whether a callback's options name a class of Lightning's, or one below it.

    Args:
        callback: The options.
        kind: The class's name; the class itself would have to be imported, which takes seconds.
            Of a class that is not imported, as in an old run's config, only the name is known.
    """
    path = str(callback.get("class_path")) if isinstance(callback, dict) else ""
    module, _, name = path.rpartition(".")
    named = getattr(sys.modules.get(module), name, None)
    kinds = named.__mro__ if isinstance(named, type) else ()
    known = [(one.__module__, one.__name__) for one in kinds] or [(module, name)]
    return any(last == kind and place.partition(".")[0] in _PLACES for place, last in known)
