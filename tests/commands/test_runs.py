"""The command `runs`: states, figures and differences, also from damaged files."""

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

from lit_mnist.main import main

HEAD = "epoch,train_loss,train_acc,val_loss,val_acc,lr,seconds\n"


def place(folder, seed=42, epochs=2, lr=0.001, model="Dense", **results):
    """Writes a run's small files."""
    folder.mkdir(parents=True)
    config = {
        "seed_everything": seed,
        "name": folder.parent.name,
        "log_dir": str(folder.parent.parent),
        "trainer": {"max_epochs": 30, "precision": "32-true", "callbacks": None},
        "model": {"class_path": f"lit_mnist.models.{model}Module", "init_args": {"lr": lr}},
        "data": {"seed": seed, "data_dir": f"data{seed}", "augment": model != "Dense"},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "metrics.csv").write_text(HEAD + "0,1,0.5,1,0.5,0.001,2.0\n" * epochs)
    facts = {"status": "complete", "name": folder.parent.name, "seed": seed} | results
    (folder / "results.json").write_text(json.dumps(facts))
    return folder


@pytest.fixture
def listed(here, capsys):
    """Lists the runs in tb_logs, by name."""

    def call(*options):
        assert main(["runs", "--json", *options]) == 0
        return {row["run"]: row for row in json.loads(capsys.readouterr().out)}

    return call


def test_states_follow_from_status_and_lock(listed):
    root = Path("tb_logs/dense")
    place(root / "seed_1")
    place(root / "seed_2", status="interrupted")
    place(root / "seed_3", status="running")  # killed: nobody holds its lock
    (root / "seed_3/.lock").touch()
    place(root / "seed_4", status="running")
    (root / "seed_5").mkdir()  # has not written anything yet
    with FileLock(root / "seed_4/.lock"), FileLock(root / "seed_5/.lock"):
        states = [row["state"] for row in listed().values()]
    assert states == ["complete", "interrupted", "interrupted", "running", "running"]
    assert (root / "seed_3/.lock").exists()


def test_a_folder_of_another_logger_is_no_run(listed):
    folder = place(Path("tb_logs/dense/seed_42"))
    (folder / "hparams.yaml").write_text("{}")  # of a user's TensorBoardLogger
    other = Path("tb_logs/lightning_logs/version_0")
    (other / "checkpoints").mkdir(parents=True)
    (other / "metrics.csv").write_text("epoch,step,val_acc\n0,9,0.6\n")
    (other / "hparams.yaml").write_text("lr: 0.1\n")
    assert [*listed()] == ["dense/seed_42"]


def test_folders_beside_runs_hide_none_and_links_are_followed_once(listed):
    place(Path("elsewhere/seed_1"))
    place(Path("tb_logs/dense/seed_42"))
    for folder in ("tb_logs", "tb_logs/dense"):
        Path(folder, "checkpoints").mkdir()
        Path(folder, "config.yaml").touch()
    Path("tb_logs/linked").symlink_to(Path("elsewhere").resolve())
    Path("tb_logs/dense/loop").symlink_to(Path("tb_logs").resolve())
    Path("tb_logs/dense/gone").symlink_to("nowhere")
    Path("tb_logs/itself").symlink_to("itself")
    Path("tb_logs/another_name").symlink_to(Path("tb_logs/dense/seed_42").resolve())
    Path("tb_logs/hparams.yaml").touch()
    assert [*listed()] == ["dense/seed_42", "linked/seed_1"]


def test_json_has_no_infinite_numbers(here, capsys):
    place(Path("tb_logs/a/seed_1"), lr=float("inf"))
    place(Path("tb_logs/a/seed_2"))
    assert main(["runs", "--json"]) == 0

    def refuse(text):
        raise AssertionError(f"{text} is no JSON")

    rows = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert rows[0]["differs"]["lr"] == "inf"


def test_figures_and_differing_options_are_listed(listed):
    scores = {"best_val_acc": 0.98, "test_acc": 0.97, "test_acc_ci95": [0.96, 0.98]}
    place(Path("tb_logs/dense/seed_9"), seed=9, epochs=3, seconds=61.4, **scores)
    place(Path("tb_logs/dense/seed_10"), seed=10, lr=0.01)
    place(Path("tb_logs/deep/seed_42"), model="DeepConv")
    rows = listed()
    assert list(rows) == ["deep/seed_42", "dense/seed_9", "dense/seed_10"]
    nine = rows["dense/seed_9"]
    assert (nine["name"], nine["seed"], nine["epoch"], nine["max_epochs"]) == ("dense", 9, 3, 30)
    assert nine["seconds"] == 61.4
    assert {key: nine[key] for key in scores} == scores
    assert [row["differs"] for row in rows.values()] == [
        {"lr": 0.001, "model": "DeepConvModule", "augment": True},
        {"lr": 0.001, "model": "DenseModule", "augment": False},
        {"lr": 0.01, "model": "DenseModule", "augment": False},
    ]


def test_tests_of_other_images_are_marked_unless_the_data_sets_tell(listed):
    for seed, images in enumerate(("a" * 64, "a" * 64, "b" * 64)):
        place(Path(f"tb_logs/dense/seed_{seed}"), seed, test_acc=0.9, test_data_sha256=images)
    place(Path("tb_logs/dense/seed_9"), seed=9, test_data_sha256="c" * 64)  # without a score
    marks = [row["differs"].get("test_images") for row in listed().values()]
    assert marks == ["a" * 8, "a" * 8, "b" * 8, None]
    path = Path("tb_logs/dense/seed_2/config.yaml")
    config = yaml.safe_load(path.read_text())
    config["data"]["dataset"] = "KMNIST"
    path.write_text(yaml.safe_dump(config))
    assert not any("test_images" in row["differs"] for row in listed().values())


def test_an_epoch_that_max_steps_cuts_short_is_not_counted(run_cli, listed):
    assert run_cli("fit", "--trainer.max_steps", "5")[0] == 0
    results = json.loads(Path("tb_logs/dense/seed_42/results.json").read_text())
    assert (results["status"], results["epochs"]) == ("complete", 0)
    assert listed()["dense/seed_42"]["epoch"] == 0


def test_the_table_shows_the_same_figures(here, capsys):
    scores = {"best_val_acc": 0.98, "test_acc": 0.97, "test_acc_ci95": [0.96, 0.98]}
    place(Path("tb_logs/a/seed_1"), seconds=3661, **scores)
    place(Path("tb_logs/b/seed_1"), lr=0.01, status="interrupted")
    assert main(["runs"]) == 0
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.startswith("run ")
    assert " ".join(first.split()) == (
        "a/seed_1 complete 2/30 0.9800 0.9700 0.9600 to 0.9800 1:01:01 lr=0.001"
    )
    assert second.split() == ["b/seed_1", "interrupted", "2/30", "lr=0.01"]


def test_control_characters_are_escaped_as_in_errors(here, capsys):
    for number, rate in enumerate(("a\x1b[2Jb", "a\nb")):
        place(Path(f"tb_logs/c\x07d/seed_{number}"), lr=rate)
    assert main(["runs"]) == 0
    _, first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(r"c\x07d/seed_0 ")
    assert first.endswith(r"lr=a\x1b[2Jb")
    assert second.endswith(r"lr=a\nb")


def test_a_score_of_some_of_the_images_is_marked(here, capsys):
    for name, limit in (("all", 1.0), ("some", 1), ("half", 0.5)):
        folder = place(Path(f"tb_logs/{name}/seed_1"), best_val_acc=0.98, best_val_images=5000)
        config = yaml.safe_load((folder / "config.yaml").read_text())
        config["trainer"]["limit_val_batches"] = limit
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
    assert main(["runs"]) == 0
    cells = [line.split("  ") for line in capsys.readouterr().out.splitlines()[1:]]
    shown = {line[0].split("/")[0]: [c.strip() for c in line if "0.98" in c] for line in cells}
    assert shown == {"all": ["0.9800"], "some": ["0.9800 of 5,000"], "half": ["0.9800 of 5,000"]}


@pytest.mark.parametrize(
    ("key", "order"), [("name", "abc"), ("val_acc", "bac"), ("test_acc", "cab"), ("seed", "cba")]
)
def test_rows_are_sorted_by_the_key_with_unknown_values_last(listed, key, order):
    place(Path("tb_logs/a/seed_3"), seed=3, best_val_acc=0.8)
    place(Path("tb_logs/b/seed_2"), seed=2, best_val_acc=0.9)
    place(Path("tb_logs/c/seed_1"), seed=1, test_acc=0.9)
    assert "".join(run[0] for run in listed("--sort", key)) == order


@pytest.mark.parametrize("name", ["results.json", "config.yaml", "metrics.csv"])
@pytest.mark.parametrize(
    "content", [b"", b'{"status": "comp', b"\xff\xfe\x00", b"[1]", b"a: [" * 99, b"a,b\n1,x\n"]
)
def test_a_truncated_file_hides_no_run(listed, name, content):
    good, bad = place(Path("tb_logs/a/seed_1")), place(Path("tb_logs/b/seed_1"))
    (bad / name).write_bytes(content)
    rows = listed()
    assert list(rows) == ["a/seed_1", "b/seed_1"]
    assert rows["a/seed_1"]["state"] == "complete"
    assert rows["a/seed_1"]["problem"] == ""
    if name != "results.json":
        assert rows["b/seed_1"]["state"] == "complete"
    else:
        assert rows["b/seed_1"]["state"] == "damaged"
    assert good.exists()
    assert main(["runs"]) == 0


def test_results_of_wrong_types_are_not_shown(listed):
    place(Path("tb_logs/a/seed_1"), seed="x", best_val_acc=[1], seconds=None, test_acc_ci95=3)
    row = listed()["a/seed_1"]
    assert row["seed"] is row["best_val_acc"] is row["seconds"] is row["test_acc_ci95"] is None


def test_nan_figures_are_blank(here, capsys):
    place(Path("tb_logs/a/seed_1"), best_val_acc=float("nan"), test_acc=float("inf"))
    assert main(["runs"]) == 0
    assert "nan" not in capsys.readouterr().out


def test_a_score_is_blank_after_the_weights_change(trained, listed):
    """Also a committee's score, if one member was retrained after the test."""
    path = Path("tb_logs/dense/seed_43/checkpoints/best.ckpt")
    before = listed()
    shutil.copy2(path, "aside")
    shutil.copy2("tb_logs/dense/seed_43/checkpoints/last.ckpt", path)
    Path("aside").touch()
    rows = listed()
    for run in ("dense/seed_43", "dense/committee_3"):
        assert rows[run]["test_acc"] is rows[run]["test_acc_ci95"] is None
        assert "no longer those that were tested" in rows[run]["problem"]
    assert rows["dense/seed_42"] == before["dense/seed_42"]
    shutil.copy2("aside", path)  # the same weights again, at a later time
    assert listed() == before


def test_a_real_run_and_a_real_committee_are_listed(trained, listed):
    rows = listed()
    assert [*rows] == ["dense/committee_3", *(f"dense/seed_{seed}" for seed in (42, 43, 44))]
    for row in rows.values():
        assert row["state"] == "complete"
        results = json.loads(Path("tb_logs", row["run"], "results.json").read_text())
        assert row["test_acc"] == results["test_acc"]
        assert row["differs"].get("model") in ("DenseModule", "EnsembleModule")
    assert rows["dense/seed_43"]["seed"] == 43
    assert rows["dense/committee_3"]["seed"] is None


def test_missing_and_empty_folders_are_reported(here, capsys):
    assert main(["runs"]) == 2
    assert capsys.readouterr().err.startswith("error: tb_logs: no such folder; ")
    Path("tb_logs").mkdir()
    assert main(["runs"]) == 0
    assert capsys.readouterr().out == "tb_logs: contains no runs; train one with fit\n"


def test_200_runs_are_listed_in_3_cpu_seconds_without_torch(here, trained_runs):
    config = (trained_runs / "simple_plateau/seed_42/config.yaml").read_text()
    for number in range(200):
        folder = place(Path(f"tb_logs/run_{number // 5}/seed_{number}"), seed=number, epochs=30)
        (folder / "config.yaml").write_text(config.replace("lr: 0.001", f"lr: 0.{number + 1}"))
    code = (
        "import sys; from lit_mnist.main import main; status = main(['runs', '--json']);"
        "sys.exit(status or 'torch' in sys.modules)"
    )
    before = _children()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    spent = _children() - before
    assert (done.returncode, done.stderr) == (0, "")
    assert len(json.loads(done.stdout)) == 200
    assert spent < 3


def _children():
    """CPU seconds of finished child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
