"""A small, correct PyTorch Lightning framework for MNIST. This is the map of its rooms.

A room imports only from those below it, and each has a map of its own in its `__init__`:

    main       the entry point: answers --help before torch is imported
    commands   a file a command: its options, what it runs, what it says
    demo       the page that `demo` serves
    doctor     what `doctor` looks at
    reports    what a run, a test and a committee leave to be looked at
    sweep      a search over options with Optuna
    export     trained networks for other programs
    training   callbacks, launchers, choices for the hardware, work-arounds for Lightning
    models     nets, the plateau schedule, LightningModules, the ensemble and its members
    data       the datasets and how they arrive, split, batches, augmentation, the data module
    pictures   a user's own pictures in the form of MNIST
    runs       a run's folder, checkpoints read safely, resuming, the ledger
    files      files that are never half a file
    shape      28 x 28 pixels, ten classes
    program    how the user calls this program
    errors     what goes wrong in a way that the user can mend

Importing the package imports none of them.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lit_mnist.export.reader import load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    """Imports `load` when it is asked for, as it needs torch."""
    if name != "load":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lit_mnist.export.reader import load

    return load
