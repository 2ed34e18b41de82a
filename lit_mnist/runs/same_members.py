"""Whether a committee's folder holds the results of the same members.

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
    if before := other(run, paths):
        raise UserError(
            f"{run.folder}: holds the results of another committee, with {before}; choose another"
            " --name, or move that folder"
        )


def other(run: Run, paths: Sequence[Path]) -> str:
    """Names a member of which a folder's results are, if not of these; empty if there is none."""
    results = run.results()
    validated = results.get("out_of_fold") or {}
    known = results.get("test_checkpoints") or validated.get("checkpoints") or []
    before = {_member(run.folder / str(name)): str(name) for name in known}
    now = set(map(_member, paths))
    if not before or before.keys() == now:
        return ""
    gone = [name for path, name in before.items() if path not in now]
    return gone[0] if gone else str(known[0])


def _member(path: Path) -> Path:
    """Returns a member's run, whose last may stand for its best; any other file as it is."""
    path = path.resolve()
    return path.parent if path.name in (BEST, LAST) else path
