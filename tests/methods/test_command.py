"""Programs of somebody else's as methods: what they are given, what becomes of what they write, and how they end."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil
import pytest

from unmask.bench.core.errors import DataError, SpecError
from unmask.bench.core.protocols import Method
from unmask.bench.core.registry import create_method, method_spec
from unmask.bench.core.spec import Spec
from unmask.bench.core.types import Box, Image, MethodFailure, Sample
from unmask.methods.shared.programs import offline

Outputs = Sequence[Image | MethodFailure]
START = """
import json, os, pathlib, shutil, socket, subprocess, sys, time
from PIL import Image, ImageOps
source, target = map(pathlib.Path, sys.argv[1:3])
files = sorted(source.iterdir())
def write(file, name=None, image=None):
    (image or ImageOps.invert(Image.open(file))).save(target / (name or file.name))
"""
GOOD = "for file in files: write(file)\n"


@pytest.fixture
def samples() -> list[Sample]:
    rng = np.random.default_rng(1)
    sizes = ((40, 50), (33, 70), (64, 64))
    names = ("Ann_Smith/Ann_Smith_0001.jpg", "Bob/Bob_0001.jpg", "Cem/Cem_0001.jpg")
    images = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    return [Sample(name, image, (Box(3, 4, 20, 25),)) for name, image in zip(names, images, strict=True)]


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., Method]:
    """The method whose program runs ``code`` behind `START`."""

    def create(code: str, words: str = "{input} {output}", **params: str | int | bool) -> Method:
        script = tmp_path / "folder of ann" / "tool.py"
        script.parent.mkdir(exist_ok=True)
        script.write_text(START + code)
        return create_method(Spec("command", {"run": f"{sys.executable} '{script}' {words}", **params}))

    return create


def report(tmp_path: Path, what: str) -> str:
    """Code that writes ``what`` down where the test finds it."""
    return f"pathlib.Path({str(tmp_path / 'report.json')!r}).write_text(json.dumps({what}))\n"


def reported(tmp_path: Path) -> object:
    return json.loads((tmp_path / "report.json").read_text())


def reasons(outputs: Outputs) -> list[str]:
    return [output.reason if isinstance(output, MethodFailure) else "" for output in outputs]


def inverted(output: Image | MethodFailure, sample: Sample) -> bool:
    return not isinstance(output, MethodFailure) and bool((output == 255 - sample.image).all())


def test_a_program_gives_what_a_method_of_ours_would(program: Callable[..., Method], samples: list[Sample]) -> None:
    outputs = program(GOOD).anonymize(samples, seed=0)
    assert [inverted(o, s) for o, s in zip(outputs, samples, strict=True)] == [True] * 3


def test_it_sees_neutral_names_and_nothing_but_pixels(
    program: Callable[..., Method], samples: list[Sample], tmp_path: Path
) -> None:
    code = report(tmp_path, "[[f.name, list(Image.open(f).info), Image.open(f).format] for f in files]")
    program(GOOD + code).anonymize([*samples, samples[0]], seed=0)
    entries = reported(tmp_path)
    assert isinstance(entries, list)
    assert all(re.fullmatch(r"[0-9a-f]{16}(-copy1)?\.png", name) for name, _, _ in entries)
    assert [(info, form) for _, info, form in entries] == [([], "PNG")] * 4


def test_frames_of_a_clip_come_in_their_order(program: Callable[..., Method], tmp_path: Path) -> None:
    frames = [Sample(f"{'ab' * 32}#{k:06d}", np.full((20, 20, 3), k, np.uint8), sequence="ab" * 32) for k in (9, 10)]
    outputs = program(GOOD + report(tmp_path, "[f.name[-11:] for f in files]")).anonymize(frames, seed=0)
    assert reported(tmp_path) == ["-000009.png", "-000010.png"]
    assert [inverted(o, s) for o, s in zip(outputs, frames, strict=True)] == [True] * 2


def test_its_environment_is_what_is_named_and_its_folders_are_its_own(
    program: Callable[..., Method], samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SECRET_TOKEN", "WANTED", "PYTHONPATH"):
        monkeypatch.setenv(name, "x")
    code = "(target / 'left').write_text('x')\n"
    code += report(tmp_path, "[dict(os.environ), os.getcwd(), sorted(os.listdir(os.environ['HOME']))]")
    method = program("assert not list(target.iterdir())\n" + GOOD + code, env="WANTED MISSING")
    for _ in range(2):
        assert reasons(method.anonymize(samples, seed=0)) == [""] * 3
    environment, folder, home = reported(tmp_path)  # type: ignore[misc]
    assert environment["WANTED"] == "x"
    threads = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY", "UNMASK_CONTESTANT"}
    assert set(environment) - threads - {"LC_CTYPE"} == {"PATH", "HOME", "TMPDIR", "LANG", "WANTED"}
    assert environment["HOME"] != os.environ["HOME"]
    assert home == []
    assert not Path(folder).exists()
    assert not Path(environment["HOME"]).exists()


def test_no_shell_reads_the_command_and_seed_and_device_are_told(
    program: Callable[..., Method], samples: list[Sample], tmp_path: Path
) -> None:
    words = "{input} {output} --seed={seed} {device} '$HOME' ';' '*' 'a b'"
    method = program(GOOD + report(tmp_path, "sys.argv[3:]"), words)
    method.load({}, "cuda:1")
    method.anonymize(samples[:1], seed=2**31 + 7)
    assert reported(tmp_path) == ["--seed=7", "cuda:1", "$HOME", ";", "*", "a b"]


def test_boxes_are_told_only_where_the_card_says_so(
    program: Callable[..., Method], samples: list[Sample], tmp_path: Path
) -> None:
    told = Sample(
        "a", samples[0].image, (Box(1, 2, 30, 40),), landmarks=(np.arange(10, dtype=np.float32).reshape(5, 2),)
    )
    method = program(GOOD + report(tmp_path, "json.load(open(sys.argv[3]))"), "{input} {output} {boxes}", boxes=True)
    assert method.card.detector == "harness"
    method.anonymize([told], seed=0)
    assert program(GOOD).card.detector == "none"
    (entry,) = reported(tmp_path).values()  # type: ignore[attr-defined]
    points = [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
    assert entry == {"height": 40, "width": 50, "faces": [{"box": [1, 2, 30, 40], "landmarks": points}]}
    for words, boxes in (("{input} {output} {boxes}", False), ("{input} {output}", True)):
        with pytest.raises(SpecError, match="boxes=true go together"):
            program(GOOD, words, boxes=boxes)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("for f in files[1:]: write(f)", ["no output file", "", ""]),
        ("for f in files: write(f, f.stem + '.bmp')", ["", "", ""]),
        ("for f in files: write(f, f.stem + '_anon.png')", ["no output file; with suffix=_anon there is one"] * 3),
        ("for f in files: write(f)\nwrite(f, 'more.png'); (target / 'notes.txt').write_text('x')", ["", "", ""]),
        ("for f in files: write(f)\nwrite(files[0], files[0].stem + '.bmp')", ["", "", ""]),
        ("for f in files: (target / f.name).touch()", ["output cannot be read: empty file"] * 3),
        ("for f in files: (target / f.name).write_text('x')", ["not an image, or of an unknown format"] * 3),
        ("for f in files: write(f, '.' + f.name)", ["its output file is hidden"] * 3),
        ("for f in files: (target / f.name).symlink_to(f)", ["a link that leads outside the folder"] * 3),
        ("for f in files: os.mkfifo(target / f.name)", ["not a regular file"] * 3),
        ("for f in files: (target / f.name).mkdir()", ["no output file"] * 3),
        ("for f in files: Image.open(f).convert('L').save(target / f.name)", ["", "", ""]),
        ("target.rmdir()", ["the program removed its output folder"] * 3),
        ("target.rmdir(); target.symlink_to(source)", ["the program removed its output folder"] * 3),
        (
            "for i, f in zip(map(Image.open, files), files):\n"
            " i.save(target / (f.stem + '.gif'), save_all=True, append_images=[i.rotate(9)])",
            ["it holds further frames or pages"] * 3,
        ),
    ],
)  # fmt: skip
def test_what_it_writes_is_taken_or_counted(
    code: str, expected: list[str], program: Callable[..., Method], samples: list[Sample]
) -> None:
    by_name = {reason for reason in expected if reason}
    texts = reasons(program(code + "\n").anonymize(samples, seed=0))
    assert sorted(bool(text) for text in texts) == sorted(bool(text) for text in expected)
    assert all(any(reason in text for reason in by_name) for text in texts if text)


def test_what_lies_in_another_size_is_handed_on_for_the_harness_to_refuse(
    program: Callable[..., Method], samples: list[Sample]
) -> None:
    code = "for f in files: write(f, image=Image.open(f).resize((30, 30)))\n"
    shapes = [o.shape for o in program(code).anonymize(samples, seed=0) if not isinstance(o, MethodFailure)]
    assert shapes == [(30, 30, 3)] * 3


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("sys.exit(3)", "the program ended with exit code 3"),
        ("raise ValueError", "the program ended with exit code 1"),
        ("os.kill(os.getpid(), 11)", "the program was ended by signal 11"),
        ("[(target / str(k)).touch() for k in range(5000)]; time.sleep(60)", "more than 104 files into its output"),
        ("[pathlib.Path(str(k)).touch() for k in range(30000)]; time.sleep(60)", "wrote more than 20000 files"),
        ("while True: sys.stdout.write('x' * 100000)", "the program printed more than 16 MiB"),
        ("sys.stderr.write('x' * 17000000)", "the program printed more than 16 MiB"),
        ("for k in range(9): (target / str(k)).write_bytes(bytes(3000000))\ntime.sleep(60)", "wrote more than 20 MiB"),
        ("(target / files[0].name).write_bytes(bytes(30000000))", "the program ended with exit code 1"),
        ("x = bytearray(400000000); time.sleep(60)", "the program ended with exit code 1"),
        ("[subprocess.Popen(['sleep', '60']) for _ in range(12)]; time.sleep(60)", "more than 8 processes"),
        (
            "x = [subprocess.Popen([sys.executable, '-c', 'x = bytearray(b\"x\") * 150000000; import time; "
            "time.sleep(60)']) for _ in range(3)]; time.sleep(60)",
            "the program took more than 300 MiB of memory",
        ),
    ],
)  # fmt: skip
def test_a_program_that_fails_or_floods_is_stopped_and_said(
    code: str, reason: str, program: Callable[..., Method], samples: list[Sample]
) -> None:
    method = program(GOOD + code + "\n", memory=300, processes=8, disk=20)
    start = time.monotonic()
    (text,) = reasons(method.anonymize(samples[:1], seed=0))
    assert reason in text
    assert time.monotonic() - start < 50
    # Several pictures are worth a try one by one: the harness does that where a call raises.
    if text.endswith("code 3"):
        with pytest.raises(DataError, match=reason):
            method.anonymize(samples, seed=0)


def test_what_it_leaves_running_is_ended(program: Callable[..., Method], samples: list[Sample], tmp_path: Path) -> None:
    """Also what has a session of its own, no parent any more and an empty environment."""
    code = "child = subprocess.Popen(['sleep', '600'], start_new_session=True, env={})\n"
    code += f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(child.pid))\nos._exit(0)\n"
    assert reasons(program(GOOD + code).anonymize(samples, seed=0)) == [""] * 3
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_no_name_and_no_path_of_its_folders_is_printed(
    program: Callable[..., Method], samples: list[Sample], capfd: pytest.CaptureFixture[str]
) -> None:
    program(GOOD + "print('read', files[0]); print('bad', file=sys.stderr)\n").anonymize(samples, seed=0)
    out = capfd.readouterr().out
    assert "bad" in out
    assert re.search(r"read scratch/input/[0-9a-f]{16}\.png", out)
    assert "Ann" not in out


def test_the_network_is_cut_off_where_the_card_says_so(
    program: Callable[..., Method], samples: list[Sample], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = GOOD + "try: socket.create_connection(('127.0.0.1', int(sys.argv[3])), 2); reached = True\n"
        code += "except OSError: reached = False\n" + report(tmp_path, "reached")
        for network in ("auto", "open"):
            method = program(code, f"{{input}} {{output}} {port}", network=network)
            method.anonymize(samples, seed=0)
            assert method.card.params["network_cut_off"] == (network == "auto" and bool(offline()))
            assert reported(tmp_path) == (not method.card.params["network_cut_off"])
            assert ("had no network" in method.card.limits) == bool(method.card.params["network_cut_off"])


def test_where_the_system_cannot_cut_it_off_nothing_claims_that(
    program: Callable[..., Method], samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unmask.methods.shared.programs.offline", lambda: ())
    method = program(GOOD)
    assert method.card.params["network_cut_off"] is False
    assert "not kept from the network" in method.card.limits
    assert reasons(method.anonymize(samples, seed=0)) == [""] * 3
    with pytest.raises(SpecError, match="cannot cut a program off from the network"):
        program(GOOD, network="none")


def test_its_memory_is_seen(program: Callable[..., Method], samples: list[Sample]) -> None:
    method = program(GOOD + "x = bytearray(b'x') * 100000000; time.sleep(1)\n")
    method.anonymize(samples, seed=0)
    assert 95 < method.memory_mib < 400  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("command:no-such-tool {input} {output}", "the program 'no-such-tool' is not there: check the path, or PATH"),
        ("command:/etc/passwd {input} {output}", "the program '/etc/passwd' cannot be run: make it executable"),
        ("command:cp {input}", r"\{output\}, the folder of its outputs, is not in it"),
        ("command:cp -r {input} {outputs}", r"unknown placeholder \{outputs\}; there are: \{input\}"),
        ('command:"cp \'{input} {output}"', "cannot be split into words"),
        ('command:"cp {input} {output}",batch=0', "command: batch=0 must be a whole number from 1 to 4096"),
        ('command:"cp {input} {output}",env="A=1"', "env=A=1 is no name of a variable"),
        ('command:"cp {input} {output}",network=off', "network=off must be one of: auto, none, open"),
    ],
)
def test_a_command_that_cannot_work_is_refused_in_one_line(spec: str, reason: str) -> None:
    with pytest.raises(SpecError, match=reason) as refusal:
        create_method(method_spec(spec))
    assert "\n" not in str(refusal.value)


def test_the_card_names_no_folder(program: Callable[..., Method], tmp_path: Path) -> None:
    weights = tmp_path / "net.pt"
    weights.touch()
    method = program(GOOD, f"{{input}} {{output}} --model={weights} --strength 0.5 /nowhere/of/ann/x", version=3)
    name = Path(sys.executable).name
    assert method.card.params["run"] == f"{name} tool.py {{input}} {{output}} --model=net.pt --strength 0.5 x"
    assert method.card.params["version"] == "3"
