"""A table in Markdown."""


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Returns the table's lines, followed by a blank one; none without rows."""
    if not rows:
        return []
    lines = [head, ["---"] * len(head), *rows]
    return [*(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines), ""]
