"""How many runs train at once: one per core or GPU, within the machine's limits."""

import pytest
import torch

from lit_mnist.command_line.run_spec import RunSpec
from lit_mnist.commands import jobs_at_once as module
from lit_mnist.commands.jobs_at_once import free_gib, jobs_at_once
from lit_mnist.doctor.cores import Cores

GIB = 2**30
FIVE = [RunSpec()] * 5


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with this memory (GiB) and number of cores, without a GPU."""

    def make(gib=64, cores=4, threads=4, groups="", limits=None):
        files = {"proc/meminfo": f"MemTotal: 9 kB\nMemAvailable:  {int(gib * 2**20)} kB\n"}
        files |= {"proc/self/cgroup": groups, **(limits or {})}
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
        monkeypatch.setattr(module, "cores", lambda _: Cores(8, cores, None))
        return tmp_path

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return make


@pytest.mark.parametrize(
    ("facts", "runs", "at_once"),
    [
        ({}, 5, 4),
        ({}, 2, 2),
        ({}, 0, 1),
        ({"cores": 2}, 5, 2),
        ({"threads": 1}, 5, 1),  # OMP_NUM_THREADS
        ({"gib": 4.6}, 5, 3),
        ({"gib": 0.2}, 5, 1),
    ],
)
def test_one_run_per_core_as_memory_allows(machine, facts, runs, at_once):
    assert jobs_at_once([RunSpec()] * runs, machine(**facts)) == at_once


def test_one_run_per_gpu(machine, monkeypatch):
    root = machine()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert jobs_at_once(FIVE, root) == 3
    assert jobs_at_once(FIVE[:2], root) == 2
    (root / "cpu.yaml").write_text("trainer: {accelerator: cpu}")
    (root / "gpu.yaml").write_text("trainer: {accelerator: gpu}")
    cpu, gpu = (str(root / f"{name}.yaml") for name in ("cpu", "gpu"))
    for configs, typed, at_once in [
        ((), ("--trainer.accelerator=cpu",), 4),  # a core each
        ((), ("--trainer.accelerator", "cpu"), 4),
        ((cpu,), (), 4),
        ((cpu, gpu), (), 3),
        ((gpu, cpu), (), 4),
        ((cpu,), ("--trainer.accelerator", "gpu"), 3),
        ((), ("--trainer.devices", "1"), 3),
        ((), ("--trainer.devices", "1,"), 1),  # the second
    ]:
        assert jobs_at_once([RunSpec(configs, typed)] * 5, root) == at_once


def test_one_after_another_on_an_apple_gpu(machine, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert jobs_at_once(FIVE, machine()) == 1
    assert jobs_at_once([RunSpec(typed=("--trainer.accelerator", "cpu"))] * 5, machine()) == 4


@pytest.mark.parametrize(
    ("text", "at_once"),
    [
        ("trainer: {devices: 2}", 1),
        ("trainer: {strategy: ddp}", 1),
        ("trainer: {strategy: {class_path: DDPStrategy}}", 1),  # as config.yaml has it
        ("trainer: {devices: auto, strategy: auto, num_nodes: 1}", 4),
    ],
)
def test_runs_on_several_devices_run_one_by_one(machine, tmp_path, text, at_once):
    config = tmp_path / "own.yaml"
    config.write_text(text)
    assert jobs_at_once([RunSpec((str(config),))] * 5, machine()) == at_once
    typed = RunSpec(typed=("--trainer.devices=2",))
    assert jobs_at_once([typed] * 5, machine()) == 1


@pytest.mark.parametrize(
    ("groups", "limits", "gib"),
    [
        ("0::/a/b\n", {"sys/fs/cgroup/a/memory.max": f"{2 * GIB}\n"}, 2),
        ("0::/a\n", {"sys/fs/cgroup/a/memory.max": "max\n"}, 64),
        ("0::/a\n", {"sys/fs/cgroup/memory.max": f"{3 * GIB}\n"}, 3),  # as a container sees it
        ("4:memory:/a\n", {"sys/fs/cgroup/memory/a/memory.limit_in_bytes": f"{GIB}\n"}, 1),
        ("4:cpu:/a\n", {"sys/fs/cgroup/cpu/a/memory.limit_in_bytes": f"{GIB}\n"}, 64),
    ],
)
def test_control_groups_limit_memory(machine, groups, limits, gib):
    assert free_gib(machine(groups=groups, limits=limits)) == gib


def test_without_proc_free_memory_is_unknown(tmp_path):
    assert free_gib(tmp_path) is None
