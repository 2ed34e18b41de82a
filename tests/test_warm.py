"""The server of `tests.warm` has imported what commands do."""

from pathlib import Path

from tests import warm


def test_a_fork_has_the_program_and_lightning_without_importing_them(here, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)  # by which it might be found elsewhere
    there = {"lit_mnist.commands.run_cli", "lightning.pytorch", "torch.distributed.run"}
    Path("script.py").write_text(f"import sys; sys.exit(not {there} <= sys.modules.keys())")
    assert warm.run(["script.py"]) == (0, "", "")
