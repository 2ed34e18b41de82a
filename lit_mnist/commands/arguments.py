"""The command line before it is parsed."""

import itertools
import json
from collections.abc import Sequence


def config_files(args: Sequence[str]) -> list[str]:
    """Lists the files given with `--config`, in their order."""
    apart = [value for option, value in itertools.pairwise(args) if option in ("--config", "-c")]
    return apart + [arg.partition("=")[2] for arg in args if arg.startswith("--config=")]


def configs_first(args: Sequence[str]) -> list[str]:
    """Moves `--config FILE` before the other options, right behind the command."""
    configs, others = [], []
    rest = iter(args)
    for arg in rest:
        if arg in ("--config", "-c"):
            configs += [arg, *([value] if (value := next(rest, None)) is not None else [])]
        elif arg.startswith("--config="):
            configs.append(arg)
        else:
            others.append(arg)
    return [*others[:1], *configs, *others[1:]]


def images_as_list(args: Sequence[str]) -> list[str]:
    """Turns `--data.images a.png b.png`, as a shell's wildcard gives it, into the parser's list."""
    args = list(args)
    if "--data.images" not in args:
        return args
    start = args.index("--data.images")
    end = next((i for i in range(start + 1, len(args)) if args[i].startswith("-")), len(args))
    if args[start + 1 : start + 2] and args[start + 1].startswith("["):
        return args  # the parser's own list
    return [*args[:start], f"--data.images={json.dumps(args[start + 1 : end])}", *args[end:]]
