"""The options of `doctor`, without torch."""

from lit_mnist.commands.command_parser import CommandParser


class Doctor(CommandParser):
    """The options of `doctor`."""

    command, fit = "doctor", True
    summary = "tell whether this machine is fit for a run: a line each, with what to do"
    details = (
        "Give it the options of the fit that you mean to run: data, log folder, devices. It fetches"
        " and trains nothing. Exit status 2 if there is an error."
    )

    def __init__(self) -> None:
        super().__init__()
        self.add_argument("--json", action="store_true", help="print a list of objects instead")
