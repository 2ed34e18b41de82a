"""The options of `doctor`, without torch."""

from lit_mnist.command_line.command_parser import CommandParser


class Doctor(CommandParser):
    """The options of `doctor`."""

    command, fit = "doctor", True
    summary = "check whether this machine is ready for a run; each problem comes with a remedy"
    details = (
        "Give it the options of the fit that you plan to run: data, log folder, devices. Nothing"
        " is downloaded or trained. The exit status is 2 if there is an error."
    )

    def __init__(self) -> None:
        super().__init__()
        self.add_argument("--json", action="store_true", help="print the findings as JSON")
