"""Turns the parser's errors into one line that names the option and the remedy."""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

from lit_mnist import program
from lit_mnist.command_line.arguments import config_files, find_config

# Lines of jsonargparse's report on its attempts to parse a value, not on the problem itself
_CLUTTER = re.compile(
    r"Does not validate|Subtypes:|Errors:|Expected a <class 'NoneType'>|Given value"
    r"|Problem with given class_path|Expected a path but|Problems parsing config"
    r"|Not a valid subclass of|Subclass types expect one of|a class path \(str\)|a dict with"
)
_NO_MODEL = "no model is named; give a config, such as --config deep"
# What the libraries say (jsonargparse, argparse, Python), as patterns, and what replaces it. Each
# line of a report goes through all, in this order: some go on with what others have made of it
_SHORTER = (
    # Which type or value is expected
    (r'Parser key "[^"]*":?\s*', ""),
    (r"Not of type \w+: ", ""),
    (r"does not conform to restriction v", "is not "),
    (r"(is not \S+ and )v", r"\1"),
    (r"int\(\) argument must be .*, not '(\w+)'", r"expected an integer, not \1"),
    (r"Expected a typing\.Literal\[(.*?)\]", r"expected one of \1"),
    (r"Expected a <class '(?:[\w.]+\.)?(\w+)'>", r"expected \1"),
    (r"\. Got value: ", ", got "),
    # Classes: "there is no class x", "expected a class ..., got x"
    (r"Expected a dot import path string: (.*)", r"there is no class \1"),
    (
        r"(Import path .*?)does not correspond to a subclass of (?:Classifier|Scored)Module",
        r"\1expected a class derived from lit_mnist.models.ClassifierModule",
    ),
    (r"(Import path .*?)does not correspond to a sub(class of \w+)", r"\1expected a sub\2"),
    (r"Import path (\S+) (expected a .*)", r"\2, got \1"),
    (r"Import path (expected a .*)", r"\1"),
    (r"Unexpected import path format: .*", "expected a class such as my_module.Net"),
    (r"Invalid content in sub-config file \S+\.py: .*", "expected a class such as my_module.Net"),
    # Files and unknown options: "there is no option x", which `_unknown` looks for
    (r"Unable to load config (['\"])(.*?)\1", r"cannot read options from \2"),
    (r"Option '(.*?)' is not accepted", r"there is no option \1"),
    (r"Subcommand '\w+' does not accept option '(.*?)'", r"there is no option \1"),
    (r"unrecognized arguments: ", "there is no option "),
    # Numbers
    (r"invalid literal for int\(\) with base 10: (.*)", r"\1 is not an integer"),
    (r"could not convert string to float: (.*)", r"\1 is not a number"),
    # Options without a value, or with one that they do not take
    (r".*arguments are required: .*model", _NO_MODEL),
    (r"argument -c/--config: expected one argument", "--config: name a file after it"),
    (
        r"argument (--\S+): expected one argument",
        r"\1: give a value; join one that begins with a dash by =",
    ),
    (r'Expected a string with form "h:m:s".*', "a time in a file is in quotes: '01:12:00:00'"),
    (r"argument (--\S+): ignored explicit argument .*", r"\1: takes no value; leave it out for no"),
    # Values in YAML, and the dicts of a class
    (r'in "<unicode string>", ', "in its "),
    (r"there is no option class_path$", "options beside class_path belong below init_args"),
    (r"'\w+' object has no attribute 'keys'", "init_args holds no options, such as `name: value`"),
)
# The model's options are given, but not its class
_WITHOUT_CLASS = re.compile(r"class_path '[\w.]+\.ScoredModule':\s+Option '(?!class|init)")
# The options of a callback likewise; the parser takes Lightning's empty base class
_CLASS_PATH = re.compile(r"given class_path '(.+?)'")
# jsonargparse's form of a class and all its arguments
_INSTANCE = re.compile(r"Namespace\(class_path='([\w.]+)'.*")


def parser_error(report: str, args: Sequence[str], known: Sequence[str]) -> str:
    """Condenses jsonargparse's report to one line with a remedy.

    Args:
        report: The report, on one or several lines.
        args: The command line, starting with the command.
        known: Correct spellings to suggest: options with their dashes, a model's arguments, class
            names.
    """
    keys = list(dict.fromkeys(re.findall(r'Parser key "([^"]+)"', report)))
    if len(keys) > 1:  # the option that has a wrong value is none of another class that was tried
        report = report.replace(f"Option '{keys[-1]}' is not accepted", "")
    option = "--" + ".".join(keys) if keys else ""
    reason = _reason(report)
    parts = [part for part in (_files(option, reason, args), option, reason) if part]
    remedy = _dashes_missing(reason, args) or _remedy(reason, args[0], known)
    return f"{': '.join(parts)}; {remedy}"


def _reason(report: str) -> str:
    """Returns the problem that a report states, and the value given in place of an expected one."""
    # of several types, a list is not what was meant
    reason = re.sub("^expected list; (?=expected)", "", condensed(report))
    if _WITHOUT_CLASS.search(report):
        reason = _NO_MODEL
    if not reason and "Not a valid subclass of" in report:
        reason = "expected the name of a class"
    value = re.search(r"Given value: (.+)", report)
    reason = _class_missing(report, value[1] if value else "") or reason
    if reason.startswith("expected") and ", got" not in reason and value:
        shown = _INSTANCE.sub(r"\1", value[1])
        reason += f", got {shown}" + "]" * (shown.count("[") - shown.count("]"))
    return reason


def _files(option: str, reason: str, args: Sequence[str]) -> str:
    """Names the config files that may state the problem; none if the command line does."""
    culprit = option or _unknown(reason)
    typed = bool(culprit) and any(arg.lstrip("-").startswith(culprit.lstrip("-")) for arg in args)
    # a reason that begins with an option is about the words of the command line themselves
    if typed or reason.startswith("--") or option == "--config":
        return ""
    return ", ".join(config_files(args))


def _class_missing(report: str, value: str) -> str:
    """Says how to name the class whose options are given without it; empty if it is named."""
    of_base = set(_CLASS_PATH.findall(report)) == {"lightning.Callback"} and "Option '" in report
    if of_base and "NestedArg(" in value:
        return "no class is named; name it first, as --trainer.callbacks+=NAME"
    if of_base or ("{'init_args': " in value and "'class_path'" not in value):
        return "class_path is missing; write class_path: NAME, and its options below init_args"
    return ""


def condensed(report: str) -> str:
    """Returns the problem that a report states, on one line, without the attempts to parse it."""
    lines = [line.strip().removeprefix("- ") for line in report.splitlines()]
    lines = [line for line in lines if line and not _CLUTTER.match(line)]
    return "; ".join(dict.fromkeys(filter(None, map(_shorten, lines))))


def _shorten(line: str) -> str:
    for pattern, text in _SHORTER:
        line = re.sub(pattern, text, line)
    return line


def _unknown(reason: str) -> str:
    """Returns the word unknown to the parser, as typed; empty if that is not the problem."""
    match = re.search(r"there is no (?:option|class) ((?:--?)?[\w.]+)", reason)
    return match[1] if match else ""


def _dashes_missing(reason: str, args: Sequence[str]) -> str:
    """Returns a remedy for a word of the command line that lacks its option, or its dashes."""
    found = re.match(r"there is no option ([^-\s]\S*)", reason)
    word = found[1] if found and found[1] in args else ""
    if "=" in word:
        return f"did you mean --{word}?"
    return f"did you mean --config {word}?" if Path(find_config(word)).is_file() else ""


def _remedy(reason: str, command: str, known: Sequence[str]) -> str:
    if "No module named" in reason:
        return "modules are looked for in this folder and those of PYTHONPATH"
    unknown = _unknown(reason)
    dashes = "--" if unknown.startswith("-") else ""  # none in a file or for a model's arguments
    words = [option.removeprefix("--") for option in known if option.startswith(dashes)]
    word = unknown.lstrip("-")
    completions = [name for name in words if word and name.startswith(word)]  # of an abbreviation
    near = completions or difflib.get_close_matches(word, words, n=1)
    if not near or near[0] == word:  # a class of another kind
        return f"see {program.name()} {command} --help"
    return f"did you mean {dashes}{near[0]}?"
