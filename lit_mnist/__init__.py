"""A small, correct PyTorch Lightning framework for MNIST: the map of its sub-packages ("rooms").

A room imports only from rooms below it, and each room's `__init__` is the map of its files:

    main          the entry point: answers --help before torch is imported
    commands      one file per command, and what several of them share
    command_line  the options of each command, their help, errors in what is given
    demo          the page that `demo` serves
    doctor        the checks of `doctor`
    reports       results of a run, a test and a committee: tables, pictures, statistics
    sweep         a search over options with Optuna
    export        trained networks for other programs
    workarounds   what is changed in Lightning while a command runs
    resuming      what an exact resume needs beyond Lightning's checkpoints
    training      a run's callbacks, when checkpoints are written, how training ends
    logs          what a run writes to metrics.csv, TensorBoard and other loggers
    machine       what decides bf16, what limits the machine, ranks, signals, imports
    models        nets, LightningModules, the plateau schedule and its patience, committees
    data          the data module, the split, batches, augmentation, downloads
    pictures      finds digits in a user's pictures and brings them to MNIST's form, for `predict`
    runs          a run's folder and the names of its files, safe loading, resuming, the ledger
    files         atomic writing of files; checks of paths
    locks         locks by which processes keep out of each other's way
    trainers      the callbacks, the data module, the precision and the last step of a trainer
    shape         the shape of the problem: 28 x 28 pixels, ten classes
    program       the name by which the user calls this program
    messages      lines for the user, which of several ranks only the first prints
    errors        errors that the user can fix

Importing the package imports none of them.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lit_mnist.export.reader import load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    """Imports `load` on first use, as it needs torch."""
    if name != "load":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lit_mnist.export.reader import load

    return load
