"""``unmask check``: each rule of a method's contract is broken by a method, which is caught by that rule's name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import faulty_methods
from tests.support.cli import unmask_here
from unmask.bench.run.contracts import drawn
from unmask.bench.run.contracts.rules import METHOD

FILE = Path(faulty_methods.__file__)
FAULTS = {
    "Shape": ("shape", "output is 200x239, the input is 200x240"),
    "Alpha": ("shape", "output has shape (240, 200, 4), (240, 200, 3) wanted"),
    "Grey": ("shape", "output has shape (240, 200)"),
    "Dtype": ("dtype", "float64 array, uint8 wanted"),
    "Nothing": ("dtype", "NoneType, uint8 array wanted"),
    "ValueRange": ("value-range", "its values are those of 0..1, made uint8"),
    "Signed": ("value-range", "its values are those of -1..1, made uint8"),
    "Channels": ("channels", "red and blue are swapped (BGR for RGB) in 3 of 3 images"),
    "FacesInBgr": ("channels", "red and blue are swapped"),
    "Unchanged": ("changes-faces", "3 of 3 faces came back pixel for pixel"),
    "UsesBoxesUnasked": ("changes-faces", "3 of 3 faces came back pixel for pixel"),
    "Count": ("count", "the method returned 2 images for 3"),
    "NoList": ("count", "the method returned ndarray; a list is wanted"),
    "Failing": ("answers", "not today"),
    "Raising": ("answers", "ValueError: cannot do this (faulty_methods.py, line "),
    "GlobalChance": (
        "determinism",
        "with the same seed, given again: 3 of 3 images came out otherwise",
    ),
    "Clock": ("determinism", "in another process: 3 of 3 images came out otherwise, by up to"),
    "Order": ("order", "the same photos in another order: 2 of 3 images came out otherwise"),
    "Batch": ("batch", "each photo alone, not together"),
    "Stacks": ("batch", "three photos at once fail, each alone does not: ValueError: all input arrays must have"),
    "BatchOfOne": ("batch-of-one", "a single photo: TypeError: len() of unsized object"),
    "SaysItDrawsNothing": ("determinism", "it says by_chance = False; with another seed: 3 of 3 images"),
    "ById": ("draw", "under another id: 1 of 1 image came out otherwise"),
    "NoFace": ("no-face", "a photo without a face: IndexError"),
    "ManyFaces": ("many-faces", "5 of 6 faces of one photo came back as they were"),
    "AnySize": ("any-size", "a photo of 1x1 pixels: ValueError: kernel larger than the image"),
    "Frames": ("clips", "a photo after the frames of a clip: 1 of 1 image came out otherwise"),
    "Inputs": ("inputs", "it wrote into the images that it was handed"),
    "Memory": ("memory", "MiB more after 23 further calls with one photo"),
    "Quiet": ("quiet", "it printed "),
    "Floods": ("quiet", "it printed 1 MB or more while it worked: xxx"),
    "Hangs": ("time", "an ordinary photo: it took longer than 1 s"),
    "Crashes": ("process", "the method's process died on this image"),
    "CannotLoad": ("loads", "FileNotFoundError: weights.pt (faulty_methods.py, line "),
    "DiesOnLoad": ("loads", "exit code 7"),
    "HangsOnLoad": ("loads", "took longer than "),
    "NoLicence": ("card", "its card has no licence"),
    "HiddenParameter": ("card", "its card's params lack 'strength'"),
    "HiddenNames:strength=3": ("card", "its card's params lack 'strength'"),
    "Positional": ("card", "its parameter 'strength' is not keyword-only"),
}
ALSO = {
    "Order": {"batch"},  # alone, each is the first
    "FacesInBgr": set(),
    "Nothing": {"answers"},
    "UsesBoxesUnasked": set(),
}
"""What the same fault breaks besides."""


def checked(name: str, *options: str) -> tuple[int, dict[str, Any]]:
    done = unmask_here("check", f"{FILE}:{name}", "--json", *options)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


FIRST = {rule: name for name, (rule, _) in reversed(FAULTS.items())}
"""One fault for each rule: the others are slow tests."""


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in FIRST.values() else [pytest.mark.slow]) for n in FAULTS]
)
def test_a_faulty_method_is_caught_by_the_rule_it_breaks(name: str) -> None:
    rule, text = FAULTS[name]
    options = {"Hangs": ["--time-limit=1"], "HangsOnLoad": ["--limit=5"]}.get(name, [])
    code, report = checked(name, *options)
    assert code == 1
    assert report["kept"] is False
    assert [each["rule"] for each in report["rules"]] == list(METHOD)
    broken = {each["rule"]: each for each in report["rules"] if each["status"] == "broken"}
    assert text in broken[rule]["text"]
    assert broken[rule]["mend"]
    assert set(broken) - {rule} <= ALSO.get(name, set())


def test_every_rule_is_broken_by_a_method() -> None:
    assert set(FIRST) == set(METHOD)


@pytest.mark.parametrize("name", ["Good", "PrintsOnLoad", "OfAProgram"])
def test_a_good_method_keeps_every_rule(name: str) -> None:
    code, report = checked(name)
    assert [each for each in report["rules"] if each["status"] != "kept"] == []
    assert (code, report["kept"], report["kind"]) == (0, True, "method")
    assert report["ms_per_face"] >= 0
    assert report["spec"] == f"faulty_methods.py:{name}"


def test_rules_that_there_is_no_time_for_are_not_kept() -> None:
    code, report = checked("Slow", "--limit=5")
    assert (code, report["kept"]) == (1, False)
    status = {each["rule"]: each["status"] for each in report["rules"]}
    assert "broken" not in status.values()
    assert status["loads"] == status["dtype"] == "kept"
    (reason,) = {each["text"] for each in report["rules"] if each["status"] == "not checked"}
    assert reason == "the check's time was used up (--limit gives it more)"
    assert status["determinism"] == "not checked"


def test_what_is_printed_names_the_rule_and_how_to_mend_it() -> None:
    done = unmask_here("check", f"{FILE}:Dtype")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("broken")]
    assert line.split()[:2] == ["broken", "dtype"]
    assert "float64 array, uint8 wanted. Mend: np.clip(" in line
    assert len(done.stdout.splitlines()) == len(METHOD) + 1
    assert "not checked  determinism" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["blackuot"], "unknown plug-in 'blackuot'; did you mean blackout"),
        (["--kind", "metric", "blackout"], "unknown metric 'blackout'"),
        (["no/such.py:Mine"], "cannot be read: No such file"),
        (["blackout:"], "ends in a colon"),
        (["outputs:/photos"], "there is no method to check"),
        (["blackout:colour=red"], "has no parameter 'colour'"),
        (["--kind", "melody", "blackout"], "melody"),
        (["blackout", "--limit", "0"], "--limit"),
        ([], "SPEC"),
    ],
)
def test_wrong_usage_has_exit_code_2(arguments: list[str], text: str) -> None:
    done = unmask_here("check", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert text in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_gpu_that_is_not_there_is_said() -> None:
    done = unmask_here("check", "blackout", "--device", "cuda:9")
    assert done.returncode == 1
    assert "cuda:9" in done.stderr


@pytest.mark.parametrize("spec", ["blackout:detector=harness", "blur:detector=harness", "pixelate:detector=harness"])
def test_our_classical_methods_keep_it(spec: str) -> None:
    done = unmask_here("check", spec)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["blackout", "blur", "pixelate", "k-same", "k-same-select", "k-same-m", "deepprivacy"])
def test_our_methods_with_a_detector_keep_it(spec: str) -> None:
    done = unmask_here("check", spec, "--limit", "300")
    assert done.returncode == 0, done.stdout


def test_the_control_does_not() -> None:
    done = unmask_here("check", "none")
    assert done.returncode == 1
    assert "broken       changes-faces" in done.stdout


@pytest.mark.weights
def test_detectors_find_the_drawn_faces(open_instrument: Any) -> None:
    photos = [*drawn.faces(), drawn.many_faces(), drawn.no_face()]
    counts = [len(faces) for faces in open_instrument("yunet").detect([photo.sample.image for photo in photos])]
    assert counts == [len(photo.faces) for photo in photos] == [1, 1, 1, 6, 0]
    for photo, faces in zip(photos, open_instrument("yunet").detect([p.sample.image for p in photos]), strict=True):
        assert all(max(face.box.iou(box) for box in photo.faces) > 0.6 for face in faces)
