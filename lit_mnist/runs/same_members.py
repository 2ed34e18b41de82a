"""Keeps the results of one committee from being replaced by those of another.

A committee's folder is named by the number of its members, such as `committee_5`, not by who they
are.
"""

from collections.abc import Sequence
from pathlib import Path

from lit_mnist.errors import UserError
from lit_mnist.runs.folder import BEST, LAST, Run


def check(run: Run, paths: Sequence[Path]) -> None:
    """Checks that a folder's results, if it has any, are of these members, with any weights.

    Args:
        run: The committee's folder.
        paths: The members' checkpoints.

    Raises:
        UserError: They are of others; names one.
    """
    results = run.results()
    validated = results.get("out_of_fold") or {}
    known = results.get("test_checkpoints") or validated.get("checkpoints") or []
    before = {_member(run.folder / str(name)): str(name) for name in known}
    others = before.keys() ^ set(map(_member, paths))
    if known and others:
        gone = [name for path, name in before.items() if path in others]
        raise UserError(
            f"{run.folder}: holds the results of another committee, with {(gone or known)[0]};"
            " choose another --name, or move that folder"
        )


def _member(path: Path) -> Path:
    """Returns a member's run, whose last may stand for its best; any other file as it is."""
    path = path.resolve()
    return path.parent if path.name in (BEST, LAST) else path
