"""Refuses what is no file in the place of one of a run's files, before a command begins."""

from lit_mnist import files
from lit_mnist.errors import UserError
from lit_mnist.runs import ledger
from lit_mnist.runs.folder import Run


def check(run: Run) -> None:
    """Checks that each of a run's files is one, as far as it is there, and its folders, too.

    A pipe would be waited for, and a folder cannot be replaced at the end of an epoch.

    Raises:
        UserError: Naming the folder, the pipe or the like; or a link that leads nowhere.
    """
    for folder in (run.last.parent, run.folder, *run.folder.parents):
        if folder.is_symlink() and not folder.exists():
            raise UserError(
                f"{folder}: is a link to {folder.readlink()}, which is not there; make that folder,"
                " or remove the link"
            )
    own = [path for path in run.written() if path.parent == run.folder]
    for path in (*own, run.out_of_fold, run.file(ledger.NAME), run.best, run.last):
        files.is_file(path)
