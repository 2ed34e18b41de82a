"""The control groups, of version 1 or 2, that limit this process on Linux."""

from collections.abc import Iterator
from pathlib import Path


def folders(controller: str, root: Path = Path("/")) -> Iterator[Path]:
    """Lists the groups that may limit this process, and their parents, whose limits hold as well.

    In a container, the path may be that of the host, which does not exist inside; the container's
    own limits are in the root group.

    Args:
        controller: What is limited: "cpu" or "memory".
        root: The folder that holds /proc and /sys.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        below = Path(path.lstrip("/"))
        for place in [""] if not controllers else [controllers, controller]:
            for part in (below, *below.parents):
                yield root / "sys/fs/cgroup" / place / part
