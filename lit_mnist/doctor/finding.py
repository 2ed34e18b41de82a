"""The result of a check."""

from typing import Literal, NamedTuple

from lit_mnist.errors import printable

Verdict = Literal["ok", "warning", "error"]


class Finding(NamedTuple):
    """The result of one check, a line of `doctor`.

    Attributes:
        check: Name of the check, one or two words.
        verdict: "error" if a run cannot succeed, "warning" if it may fail or be slow.
        text: What was found.
        remedy: What to do about it; empty if nothing.
    """

    check: str
    verdict: Verdict
    text: str
    remedy: str = ""

    def line(self) -> str:
        """Formats the finding as a line of text."""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return printable(f"{self.verdict:7}  {self.check:10}  {self.text}{remedy}")
