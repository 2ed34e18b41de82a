"""Turns the argument parser's answers into one line that names the option and the remedy."""

import difflib
import re
from collections.abc import Sequence

from lit_mnist.commands.arguments import config_files

# Lines of jsonargparse's report that say how it tried, not what is wrong
_CLUTTER = re.compile(
    r"Does not validate|Subtypes:|Errors:|Expected a <class 'NoneType'>|Given value"
    r"|Problem with given class_path|Expected a path but|Problems parsing config"
)
_SHORTER = (
    (r'Parser key "[^"]*":?\s*', ""),
    (r"Not of type \w+: ", ""),
    (r"does not conform to restriction v", "is not "),
    (r"Expected a typing\.Literal\[(.*?)\]", r"expected one of \1"),
    (r"Expected a <class '(?:[\w.]+\.)?(\w+)'>", r"expected \1"),
    (r"\. Got value: ", ", got "),
    (r"Expected a dot import path string: (.*)", r"there is no class \1"),
    (r"Option '(.*?)' is not accepted", r"there is no option \1"),
    (r"Subcommand '\w+' does not accept option '(.*?)'", r"there is no option \1"),
    (r"unrecognized arguments: ", "there is no option "),
    (r"invalid literal for int\(\) with base 10: (.*)", r"\1 is no integer"),
    (r"could not convert string to float: (.*)", r"\1 is no number"),
    (r".*arguments are required: .*model", "no model is named; give --config configs/NAME.yaml"),
    (r"argument -c/--config: expected one argument", "--config: name a file after it"),
    (r'in "<unicode string>", ', "in its "),
)


def one_line(report: str, args: Sequence[str], known: Sequence[str]) -> str:
    """Condenses a parser's report.

    Args:
        report: What jsonargparse said, on one line or many.
        args: The command line, the command first.
        known: Words that a misspelt one may be meant for: options without dashes, class names.
    """
    lines = [line.strip().removeprefix("- ") for line in report.splitlines()]
    lines = [line for line in lines if line and not _CLUTTER.match(line)]
    keys = list(dict.fromkeys(re.findall(r'Parser key "([^"]+)"', report)))
    reason = "; ".join(dict.fromkeys(filter(None, map(_shorten, lines))))
    value = re.search(r"Given value: (.+)", report)
    if reason.startswith("expected") and ", got" not in reason and value:
        reason += f", got {value[1]}"
    option = "--" + ".".join(keys) if keys else ""
    culprit = option or _unknown(reason)
    typed = bool(culprit) and any(arg.lstrip("-").startswith(culprit.lstrip("-")) for arg in args)
    where = "" if typed or "--config" in (option, reason[:8]) else ", ".join(config_files(args))
    parts = [part for part in (where, option, reason) if part]
    return f"{': '.join(parts)}; {_remedy(reason, args[0], known)}"


def _shorten(line: str) -> str:
    for pattern, text in _SHORTER:
        line = re.sub(pattern, text, line)
    return line


def _unknown(reason: str) -> str:
    found = re.search(r"there is no (?:option|class) (?:--)?([\w.]+)", reason)
    return found[1] if found else ""


def _remedy(reason: str, command: str, known: Sequence[str]) -> str:
    unknown = _unknown(reason)
    near = difflib.get_close_matches(unknown, known, n=1) if unknown else []
    return f"did you mean {near[0]}?" if near else f"see python cli.py {command} --help"
