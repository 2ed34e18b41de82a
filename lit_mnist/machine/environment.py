"""The environment variables that a command sets, and restores when it ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

# The first is set in process.py, the others by Lightning: a parser of the options of `fit` already
# sets the last two, by which a data module made in Python afterwards would get another seed
_VARIABLES = (
    *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUBLAS_WORKSPACE_CONFIG"),
    *("PL_GLOBAL_SEED", "PL_SEED_WORKERS"),
)


@contextmanager
def restored() -> Iterator[None]:
    """Restores these variables at the end of the context."""
    before = {name: os.environ.get(name) for name in _VARIABLES}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
