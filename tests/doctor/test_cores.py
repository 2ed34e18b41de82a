"""Core counts from fake /proc and /sys files."""

import os

import pytest

from lit_mnist.doctor.cores import Cores, cores, quota

V1 = "3:cpuset:/\n2:cpu,cpuacct:/jobs/mine\n1:name=systemd:/\n"
V1_ALONE = "2:cpuacct:/jobs/mine\n1:cpu:/jobs/mine\n0::/\n"
V2 = "0::/jobs/mine\n"


def system(root, cgroup, **files):
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(cgroup)
    for path, text in files.items():
        path = root / "sys/fs/cgroup" / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def first(folder, granted, period="100000"):
    return {f"{folder}/cpu.cfs_quota_us": f"{granted}\n", f"{folder}/cpu.cfs_period_us": period}


@pytest.mark.parametrize(
    ("cgroup", "files", "granted"),
    [
        (V2, {"jobs/mine/cpu.max": "150000 100000\n"}, 1.5),
        (V2, {"jobs/mine/cpu.max": "max 100000\n"}, None),
        (V2, {"jobs/cpu.max": "200000 100000\n", "jobs/mine/cpu.max": "max 100000\n"}, 2.0),
        (V2, {"jobs/cpu.max": "50000 100000\n", "jobs/mine/cpu.max": "400000 100000\n"}, 0.5),
        (V2, {"cpu.max": "300000 100000\n"}, 3.0),  # in a container that sees its own as the top
        (V2, {}, None),
        (V2, {"jobs/mine/cpu.max": "much\n"}, None),
        (V1, first("cpu,cpuacct/jobs/mine", 250000), 2.5),
        (V1, first("cpu/jobs/mine", 100000), 1.0),
        (V1, first("cpu,cpuacct/jobs/mine", -1), None),
        (V1, first("cpu,cpuacct", 100000, "50000"), 2.0),
        (V1, first("cpuset/jobs/mine", 100000), None),
        (V1_ALONE, first("cpu/jobs/mine", 200000), 2.0),
        ("", {}, None),
    ],
)
def test_quota_of_control_groups(tmp_path, cgroup, files, granted):
    assert quota(system(tmp_path, cgroup, **files)) == granted


def test_no_linux_has_no_quota(tmp_path):
    assert quota(tmp_path) is None


@pytest.mark.parametrize(
    ("found", "usable", "text"),
    [
        (Cores(8, 8, None), 8, "8 in the machine"),
        (Cores(8, 4, None), 4, "8 in the machine, 4 by affinity"),
        (Cores(8, 4, 1.5), 2, "8 in the machine, 4 by affinity, 1.5 by control group"),
        (Cores(8, 8, 0.25), 1, "8 in the machine, 0.25 by control group"),
        (Cores(2, 2, 16.0), 2, "2 in the machine"),
    ],
)
def test_the_smallest_core_limit_counts(found, usable, text):
    assert found.usable == usable
    assert str(found) == text


def test_affinity_is_read_from_the_system(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 7}, raising=False)
    found = cores(system(tmp_path, V2, **{"jobs/mine/cpu.max": "800000 100000\n"}))
    assert found == Cores(64, 2, 8.0)
