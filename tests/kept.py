"""Runs shared by tests: trained once, copied into the working folder of each test."""

import hashlib
import shutil
from pathlib import Path


def fitted(shared, run_cli, *options, config="dense"):
    """Leaves the run of `fit` with these options in a working folder without runs.

    Args:
        shared: The fixture.
        run_cli: The fixture.
        options: As `run_cli` takes them.
        config: Likewise.
    """
    assert not Path("tb_logs").exists()

    def train(folder):
        status, _, problems = run_cli("fit", *options, config=config)
        assert status == 0, problems
        assert "Traceback" not in problems
        shutil.move("tb_logs", folder)

    command = hashlib.sha256(repr((options, config)).encode()).hexdigest()
    shutil.copytree(shared(f"fit_{command[:12]}", train) / "tb_logs", "tb_logs")
