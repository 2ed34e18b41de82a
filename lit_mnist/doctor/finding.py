"""What one check found."""

from typing import Literal, NamedTuple

from lit_mnist.errors import printable

Verdict = Literal["ok", "warning", "error"]


class Finding(NamedTuple):
    """A line of `doctor`.

    Attributes:
        check: What was looked at, in a word or two.
        verdict: An "error" keeps a run from going well; a "warning" may.
        text: What was found.
        remedy: What to do; empty if there is nothing to do.
    """

    check: str
    verdict: Verdict
    text: str
    remedy: str = ""

    def line(self) -> str:
        """Formats it for people."""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return printable(f"{self.verdict:7}  {self.check:10}  {self.text}{remedy}")
