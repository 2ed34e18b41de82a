"""Paths from a run's folder to checkpoints, through links and moves."""

from pathlib import Path

import pytest

from lit_mnist.runs.relative_paths import found, relative


@pytest.fixture
def checkpoint(here):
    path = Path("logs/a/seed_42/checkpoints/best.ckpt")
    path.parent.mkdir(parents=True)
    path.touch()
    return path


@pytest.fixture
def folder(here):
    path = Path("logs/a/committee_2")
    path.mkdir(parents=True)
    return path


def test_a_path_stays_valid_when_all_is_moved(checkpoint, folder):
    name = relative(checkpoint, folder)
    assert name == "../seed_42/checkpoints/best.ckpt"
    Path("logs").rename("moved")
    path = found(name, Path("moved/a/committee_2"))
    assert path == Path("moved/a/seed_42/checkpoints/best.ckpt")
    assert path.is_file()


def test_a_folder_in_a_link_to_another_depth_finds_the_file(checkpoint, here):
    Path("deep/er/real/committee_2").mkdir(parents=True)
    Path("link").symlink_to("deep/er/real")
    name = relative(checkpoint, Path("link/committee_2"))
    assert (Path("link/committee_2") / name).samefile(checkpoint)
    assert found(name, Path("link/committee_2")).samefile(checkpoint)
    assert name == "../../../../logs/a/seed_42/checkpoints/best.ckpt"


def test_a_link_that_is_moved_with_the_folder_is_kept(checkpoint, folder, here):
    Path("elsewhere/b/seed_1").mkdir(parents=True)
    Path("elsewhere/b/seed_1/best.ckpt").touch()
    Path("logs/b").symlink_to(here / "elsewhere/b")
    name = relative(Path("logs/b/seed_1/best.ckpt"), folder)
    assert name == "../../b/seed_1/best.ckpt"


def test_a_file_that_is_gone_is_named_plainly(folder):
    assert found("../gone/best.ckpt", folder) == Path("logs/a/gone/best.ckpt")
