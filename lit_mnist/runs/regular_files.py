"""Refuses what is no file in the place of one of a run's files, before a command begins."""

from lit_mnist import files
from lit_mnist.runs import ledger
from lit_mnist.runs.folder import Run


def check(run: Run) -> None:
    """Checks that each of a run's files is one, as far as it is there.

    A pipe would be waited for, and a folder cannot be replaced at the end of an epoch.

    Raises:
        UserError: Naming the folder, the pipe or the like.
    """
    own = [path for path in run.written() if path.parent == run.folder]
    for path in (*own, run.out_of_fold, run.file(ledger.NAME), run.best, run.last):
        files.is_file(path)
