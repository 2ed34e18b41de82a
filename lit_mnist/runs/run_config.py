"""Reads a run's config.yaml, its resolved options, and flattens it."""

from pathlib import Path
from types import NoneType
from typing import Any

import yaml

from lit_mnist import files
from lit_mnist.errors import UserError
from lit_mnist.runs import safe_yaml
from lit_mnist.runs.version_0_1 import with_moved_classes

_NO_CONFIG = "restore it, or remove it (fit goes by its checkpoint then), or start over: --fresh"


def read_config(path: Path) -> dict[str, Any]:
    """Reads a run's own `config.yaml`; empty if there is none.

    Raises:
        UserError: It is no file, or not a YAML mapping.
    """
    try:
        content = safe_yaml.load(path.read_text(encoding="utf-8")) if files.is_file(path) else {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: damaged; {_NO_CONFIG}") from error
    groups = isinstance(content, dict) and [content.get(name) for name in ("data", "trainer")]
    if not groups or not all(isinstance(group, (dict, NoneType)) for group in groups):
        raise UserError(f"{path}: damaged; {_NO_CONFIG}")
    return with_moved_classes(content)


def flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flattens a nested config to keys such as `model.init_args.lr`."""
    items: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, dict) and value:
            items |= flat(value, f"{prefix}{key}.")
        else:
            items[f"{prefix}{key}"] = value
    return items
