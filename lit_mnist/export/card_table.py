"""A table in Markdown."""

from collections.abc import Iterable


def table(head: list[str], rows: Iterable[list[str]]) -> list[str]:
    """Gives its lines, a blank one at the end."""
    lines = [head, ["---"] * len(head), *rows]
    return [*(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines), ""]
