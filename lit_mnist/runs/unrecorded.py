"""Notes in `results.json` why a test left no record, so that the same test is not made again."""

from collections.abc import Mapping

from lit_mnist.runs.folder import Run

KEY = "test_unrecorded"  # in results.json; the next recorded test removes it


def note(run: Run, reason: str, conditions: Mapping[str, str]) -> None:
    """Notes why a test left no record.

    Args:
        run: The tested folder.
        reason: Why.
        conditions: What would have to change for another test to be of use, as hashes.
    """
    run.update_results(**{KEY: {"reason": reason, **conditions}})


def reason(run: Run, conditions: Mapping[str, str]) -> str:
    """Returns why the same test left no record; empty if none was made under these conditions."""
    noted = run.results().get(KEY, {})
    return str(noted.get("reason", "")) if noted.items() >= conditions.items() else ""
