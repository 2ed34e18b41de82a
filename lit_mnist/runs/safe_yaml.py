"""Loads YAML without trusting it: refuses what is too deep, too large or has duplicate keys.

PyYAML's safe loader runs no code. But a few lines of nested aliases can stand for more values than
any memory holds, deep nesting exhausts Python's stack, and of duplicate keys the last one silently
wins.
"""

import functools
import re
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import get_loader, set_dumper, set_loader

from lit_mnist.errors import UserError
from lit_mnist.runs.version_0_1 import with_moved_classes

MAX_CHARACTERS = 1 << 22
MAX_DEPTH = 32
MAX_COPIES = 10_000  # values that aliases stand for

# Those written in C take a tenth of the time
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SafeDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_SafeDumper):
    """Puts a text such as 1e-3 in quotes, which is a number to jsonargparse but not to PyYAML."""


class _SlowDumper(yaml.SafeDumper):
    """The same in Python."""


for _kind in (_Dumper, _SlowDumper):
    _kind.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"[-+]?[\d_.]+[eE][-+]?\d+$"), list("-+0123456789.")
    )
    # an enumeration's, such as of Timer, which YAML does not have
    _kind.add_multi_representer(Enum, lambda dumper, one: dumper.represent_data(one.value))


def load(text: str) -> Any:
    """Loads YAML of plain values.

    Raises:
        yaml.YAMLError: The text is not valid YAML, or `check` refuses it.
    """
    return _checked(text, functools.partial(yaml.load, Loader=_Loader))


def read(path: Path | str) -> Any:
    """Loads a file that the user has written.

    Raises:
        UserError: It is not UTF-8 text, or not valid YAML.
        OSError: It cannot be read.
    """
    try:
        return load(Path(path).read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 text; save it as UTF-8") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path}: {' '.join(str(error).split()):.300}; correct it") from error


def dump(content: Any, allow_unicode: bool = False) -> str:
    """Writes plain values as YAML, a value a line, in their own order."""
    options: dict[str, Any] = {"sort_keys": False, "allow_unicode": allow_unicode}
    try:
        text: str = yaml.dump(content, Dumper=_Dumper, **options)
    except UnicodeEncodeError:  # bytes of a path that are no UTF-8, which C has no escape for
        text = yaml.dump(content, Dumper=_SlowDumper, **options)
    return text


def load_dumped(text: str) -> Any:
    """Reads what `dump` has written."""
    return yaml.load(text, _Loader)


def _checked(text: str, read: Callable[[str], Any]) -> Any:
    check(text)
    try:
        return read(text)
    except (ValueError, TypeError) as error:  # a date such as 2000-13-32, a list as a key
        raise yaml.YAMLError(f"it holds what is no plain value ({error})") from error


def check(text: str) -> None:
    """Refuses a text that would take too much memory, time or stack, or has duplicate keys.

    Raises:
        yaml.YAMLError: The text is refused, or is not valid YAML.
    """
    if len(text) > MAX_CHARACTERS:
        raise yaml.YAMLError(f"it has more than {MAX_CHARACTERS:,} characters")
    walk = _Walk()
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            walk.enter(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            walk.leave()
        elif isinstance(event, yaml.AliasEvent):
            walk.alias(event)
        elif isinstance(event, yaml.ScalarEvent):
            walk.scalar(event)


@functools.cache
def guard_parser() -> None:
    """Makes jsonargparse check all YAML, in files and on the command line, before loading it.

    Class paths of version 0.1 are replaced by their current ones. What it writes, `dump` writes.
    """
    stock = get_loader("yaml")

    def read(text: str) -> Any:
        return with_moved_classes(_checked(text, stock))

    set_loader("yaml", read, exceptions=(yaml.YAMLError,))
    set_dumper("yaml", functools.partial(dump, allow_unicode=True))


class _Level:
    """A list or mapping that is being parsed."""

    def __init__(self, event: yaml.CollectionStartEvent) -> None:
        self.anchor, self.size, self.height = event.anchor, 1, 1
        self.keys: set[str] | None = set() if isinstance(event, yaml.MappingStartEvent) else None
        self.key_comes = True

    def add(self, size: int, height: int) -> None:
        self.size, self.height = self.size + size, max(self.height, height + 1)
        self.key_comes = not self.key_comes

    def check_key(self, event: yaml.ScalarEvent) -> None:
        if self.keys is None or not self.key_comes:
            return
        if event.value in self.keys:
            raise yaml.YAMLError(f"{event.value:.99} is given twice, again {_place(event)}")
        self.keys.add(event.value)


class _Walk:
    """State of the check while it walks through a text."""

    def __init__(self) -> None:
        self.levels: list[_Level] = []
        self.anchored: dict[str | None, tuple[int, int]] = {}  # size and height
        self.copies = 0

    def enter(self, event: yaml.CollectionStartEvent) -> None:
        self.levels.append(_Level(event))
        self._check_depth(0)

    def leave(self) -> None:
        level = self.levels.pop()
        self._add(level.anchor, level.size, level.height)

    def scalar(self, event: yaml.ScalarEvent) -> None:
        if self.levels:
            self.levels[-1].check_key(event)
        self._add(event.anchor, 1 + len(event.value) // 100, 0)  # a long text counts for more

    def alias(self, event: yaml.AliasEvent) -> None:
        if any(level.anchor == event.anchor for level in self.levels):
            raise yaml.YAMLError(f"{event.anchor:.99} contains itself {_place(event)}")
        size, height = self.anchored.get(event.anchor, (1, 0))  # an unknown one fails when read
        self.copies += size
        if self.copies > MAX_COPIES:
            raise yaml.YAMLError(f"its aliases stand for more than {MAX_COPIES:,} values")
        self._check_depth(height)
        self._add(None, size, height)

    def _add(self, anchor: str | None, size: int, height: int) -> None:
        self.anchored[anchor] = size, height
        if self.levels:
            self.levels[-1].add(size, height)

    def _check_depth(self, below: int) -> None:
        if len(self.levels) + below > MAX_DEPTH:
            raise yaml.YAMLError(f"it is nested more than {MAX_DEPTH} deep")


def _place(event: yaml.Event) -> str:
    return f"on line {event.start_mark.line + 1}" if event.start_mark else ""
