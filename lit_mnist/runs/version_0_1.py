"""What runs of version 0.1 have in another form; `entries` knows its names in checkpoints."""

from typing import Any

_MOVED = {"lit_mnist.modules.": "lit_mnist.models.", "lit_mnist.ensemble.": "lit_mnist.models."}


def with_moved_classes(config: Any) -> Any:
    """Replaces the class paths in a config, from before the package had rooms."""
    if isinstance(config, list):
        return [with_moved_classes(item) for item in config]
    if not isinstance(config, dict):
        return config
    moved = {key: with_moved_classes(value) for key, value in config.items()}
    path = config.get("class_path")
    for old, new in _MOVED.items():
        if isinstance(path, str) and path.startswith(old):
            moved["class_path"] = new + path.removeprefix(old)
    return moved


def named_sums(partial: Any) -> Any:
    """Returns a checkpoint's partial sums by name; they were a list, without the last one."""
    names = ("total", "correct", "count", "finite_steps")
    is_old = isinstance(partial, list) and len(partial) <= len(names)
    return dict(zip(names, partial, strict=False)) if is_old else partial
