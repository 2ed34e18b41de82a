"""Refuses durations that Lightning cannot read, in its options and in a Timer's."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from lit_mnist.command_line import constructors
from lit_mnist.errors import UserError
from lit_mnist.runs.callback_kinds import is_of

_FORM = "give DD:HH:MM:SS, or {hours: 1}; units are weeks, days, hours, minutes and seconds"


def check(trainer: Mapping[str, Any]) -> None:
    """Checks the durations among the parsed options of the trainer.

    Raises:
        UserError: One cannot be read; names the option and the form.
    """
    _check("--trainer.max_time", trainer.get("max_time"))
    _check("--trainer.val_check_interval", trainer.get("val_check_interval"), digits=r"\d+")
    for one in constructors.listed(trainer.get("callbacks")):
        if is_of({"class_path": one.get("class_path")}, "Timer"):
            _check("--trainer.callbacks.duration", one.get("init_args.duration"))


def _check(option: str, value: Any, digits: str = r"\d\d") -> None:
    if isinstance(value, str):
        sound = bool(re.fullmatch(rf"\d+(:{digits}){{3}}", value.strip()))
    else:
        sound = not isinstance(value, dict) or _is_timedelta(value)
    if not sound:
        shown = value if isinstance(value, str) else str(value).replace("'", "")
        raise UserError(f"{option} {shown:.99}: {_FORM}")


def _is_timedelta(units: dict[str, Any]) -> bool:
    try:
        timedelta(**units)
    except (TypeError, OverflowError):
        return False
    return True
