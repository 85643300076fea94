"""Plug-ins of every kind are found by entry points; one that never ends is given up before anything runs."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from unmask.bench.cli import app
from unmask.bench.core import plugins, registry
from unmask.bench.core.errors import BrokenPluginError, ConfigError, DataError, SpecError, UnknownNameError
from unmask.bench.core.plugins import create_plugin, load_plugin
from unmask.bench.core.spec import Spec, parse_spec
from unmask.bench.data import open_dataset
from unmask.bench.data.catalog import DatasetEntry, find_entry
from unmask.bench.run.jobs.executors import open_pool
from unmask.bench.run.jobs.shards import Job

TARGETS = registry.targets

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the system has no timer that interrupts")


class Waiter:
    """Tries again whatever happens."""

    def __init__(self) -> None:
        while True:
            try:
                time.sleep(1000)
            except Exception:
                continue


class Spinner:
    def __init__(self) -> None:
        while True:
            pass


@pytest.mark.parametrize("cls", [Waiter, Spinner])
def test_a_constructor_that_hangs_is_interrupted(cls: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "TIME_LIMIT_S", 0.2)
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(BrokenPluginError, match=r"method 'w' \(a plug-in\) cannot be used: it took longer than 0.2 s"):
        create_plugin("method", "w", cls)
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_module_that_hangs_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hanging_plugin.py").write_text("import time; time.sleep(1000)")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(plugins, "TIME_LIMIT_S", 0.2)
    with pytest.raises(BrokenPluginError, match="took longer"):
        load_plugin("method", "w", "hanging_plugin:W")
    assert "hanging_plugin" not in sys.modules


PLUG_INS = """
[unmask.layouts]
flat = given_plugins:read_flat
[unmask.clip_layouts]
flat-clips = given_plugins:read_flat
[unmask.datasets]
mine = given_plugins:MINE
my-clips = given_plugins:CLIPS
lfw = given_plugins:MINE
wrong = given_plugins:WRONG
[unmask.attackers]
guesser = given_plugins:Guesser
cardless = given_plugins:Finder
[unmask.executors]
threads = given_plugins:threads
[unmask.person_detectors]
finder = given_plugins:Finder
[unmask.trackers]
follower = given_plugins:Follower
[unmask.video_metrics]
old = given_plugins:Old
"""
CODE = """
from concurrent.futures import ThreadPoolExecutor
from unmask import AttackerCard, InstrumentCard
from unmask.bench.data.readers.base import Record, open_files

MINE = dict(
    title="Mine", revision="1", licence="none", citation="-", roles=["probe"], layout="flat", show_faces=False,
    how_to_get="ask", sources=[{"kind": "local", "path": "mine"}],
)
CLIPS = {**MINE, "layout": "flat-clips", "sources": [{"kind": "local", "path": "clips"}]}
WRONG = {**MINE, "layout": "flatt"}
threads = ThreadPoolExecutor

def read_flat(place):
    found = open_files(place, clips=place.path.name == "clips")
    found.records = [Record(name, group=place.split) for name in found.store.names() if name != "broken.jpg"]
    if len(found.records) < len(found.store.names()):
        raise KeyError("broken.jpg")
    return found if found.records[0].id != "none.jpg" else None

class Finder:
    role = "people"
    def __init__(self, *, score: float = 0.5):
        self.card = InstrumentCard(type(self).__name__.lower(), "1", self.role, "", "", "", params={"score": score})
    def load(self, files, device): ...

class Guesser:
    def __init__(self, *, tries: int = 1):
        self.card = AttackerCard("guesser", "1", "guesser", "nothing", "guesses", "-", params={"tries": tries})
    def fit(self, background, *, seed):
        return {}
    def read(self, state, readings, *, released):
        return readings

class Follower(Finder):
    role = "tracker"
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A distribution that adds one plug-in of each of these kinds."""
    info = tmp_path / "given_plugins-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: given-plugins\nVersion: 1\n")
    (info / "entry_points.txt").write_text(PLUG_INS)
    (tmp_path / "given_plugins.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)
    TARGETS.cache_clear()
    yield
    TARGETS.cache_clear()
    sys.modules.pop("given_plugins", None)


@pytest.mark.usefixtures("installed")
def test_every_kind_takes_plug_ins() -> None:
    assert "flat" in registry.names("layout")
    assert registry.load("layout", "flat").__name__ == "read_flat"
    assert DatasetEntry.model_validate({"name": "x", **registry.load("dataset", "mine")}).layout == "flat"
    assert registry.create_attacker(parse_spec("guesser:tries=3")).card.params == {"tries": 3}
    with pytest.raises(BrokenPluginError, match=r"attacker 'cardless' .*its card is no AttackerCard"):
        registry.create_attacker(parse_spec("cardless"))
    assert registry.load("executor", "threads")(2)._max_workers == 2
    with open_pool(2, "threads") as pool:
        results = list(pool.run(lambda job: job.units == 2, [Job("a", 0, units=1), Job("a", 1, units=2)], print))
    assert sorted((job.shard, done) for job, done in results) == [(0, False), (1, True)]
    with (
        pytest.raises(UnknownNameError, match="unknown executor 'thread'; did you mean threads"),
        open_pool(2, "thread"),
    ):
        pass


@pytest.mark.usefixtures("installed")
def test_data_sets_of_plug_ins_are_in_the_catalogue() -> None:
    assert find_entry("mine").title == "Mine"
    assert find_entry("lfw").title != "Mine", "a name of ours cannot be taken over"
    with pytest.raises(
        ConfigError, match=r"data set 'wrong' \(a plug-in\): layout: .*no reader is registered for 'flatt'"
    ):
        find_entry("wrong")
    rows = {row["name"]: row for row in json.loads(CliRunner().invoke(app, ["list", "datasets", "--json"]).stdout)}
    assert "no reader is registered for 'flatt'" in rows["wrong"]["problem"]
    assert {"mine", "lfw"} <= rows.keys(), "it takes nothing else down"
    assert "licence" not in rows["wrong"], "it has no entry"


@pytest.mark.usefixtures("installed")
def test_layouts_of_plug_ins_are_read_like_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = {name: target for name, target in registry.targets("dataset").items() if name != "wrong"}
    monkeypatch.setattr(registry, "targets", lambda kind: table if kind == "dataset" else TARGETS(kind))
    for file in ("mine/a.jpg", "mine/notes.txt", "clips/2.mp4", "clips/10.mp4"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(b"x")
    photos = open_dataset("mine", root=tmp_path)
    assert ([ref.id for ref in photos.refs], photos.ignored) == (["a.jpg"], 1)
    clips = open_dataset("my-clips", clips=True, root=tmp_path)
    assert [(ref.id, ref.group) for ref in clips.refs] == [("2.mp4", "all"), ("10.mp4", "all")]
    assert clips.path(clips.refs[0]) == tmp_path / "clips/2.mp4"
    with pytest.raises(DataError, match="my-clips is a set of clips"):
        open_dataset("my-clips", root=tmp_path)
    (tmp_path / "mine/a.jpg").rename(tmp_path / "mine/none.jpg")
    with pytest.raises(BrokenPluginError, match=r"the reader of 'flat' \(a plug-in\) must give Contents, not NoneType"):
        open_dataset("mine", root=tmp_path)
    (tmp_path / "mine/broken.jpg").write_bytes(b"x")
    with pytest.raises(BrokenPluginError, match=r"the reader of 'flat' \(a plug-in\) failed at .*mine': KeyError"):
        open_dataset("mine", root=tmp_path)


@pytest.mark.usefixtures("installed")
def test_the_former_groups_of_detectors_and_trackers_are_instruments() -> None:
    assert dict(registry.instrument_cards("people")).keys() >= {"yolov3-tiny", "finder"}
    assert dict(registry.instrument_cards("tracker")).keys() == {"deepsort", "sort", "follower"}
    card = registry.create_instrument(Spec("finder", {"score": 0.7}), "people").card
    assert card.params == {"score": 0.7}
    with pytest.raises(SpecError, match="instrument 'finder' has no parameter 'sc'; it takes: score"):
        registry.create_instrument(Spec("finder", {"sc": 0.7}))


@pytest.mark.usefixtures("installed")
def test_a_metric_of_the_former_group_is_told_what_to_do() -> None:
    assert [line for line in registry.unavailable_plugins() if "'old'" in line] == [
        "metric 'old' (a plug-in) cannot be used: it must take an unmask.Evidence, name 'clips' among its "
        "needs and be registered in the group unmask.metrics, as all metrics are"
    ]
