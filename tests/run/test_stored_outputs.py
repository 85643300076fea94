"""Where the outputs of somebody else's anonymizer may lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.support.cli import unmask_here
from unmask.bench.core.errors import SpecError
from unmask.bench.data import open_dataset
from unmask.bench.data.stored_outputs import output_paths, refuse_unmatched


def save(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(np.random.default_rng(0).integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(path)


def refusal(folder: Path, *specs: str) -> str:
    dataset = open_dataset(f"folder:{folder}", exclude=output_paths(specs))
    try:
        refuse_unmatched(specs, [dataset])
    except SpecError as error:
        return str(error)
    return ""


def test_a_folder_inside_the_data_set_holds_no_inputs(tmp_path: Path) -> None:
    save(tmp_path / "a.png", tmp_path / "b.png", tmp_path / "anonymized/a.png", tmp_path / "anonymized/b.png")
    spec = f"mine=outputs:dir={tmp_path}/anonymized"
    assert output_paths(["blur", spec, "none"]) == [(tmp_path / "anonymized").resolve()]
    dataset = open_dataset(f"folder:{tmp_path}", exclude=output_paths([spec]))
    assert sorted(ref.id for ref in dataset.refs) == [
        "a.png",
        "b.png",
    ]
    assert refusal(tmp_path, spec) == ""


@pytest.mark.parametrize("inputs", [".", "originals"])
def test_the_folder_of_the_inputs_is_none_of_outputs(tmp_path: Path, inputs: str) -> None:
    save(tmp_path / inputs / "a.png", tmp_path / "mine/a.png")
    reason = refusal(tmp_path / inputs, f"outputs:dir={tmp_path}")
    assert "data set's own folder, so that inputs would pass for outputs" in reason
    assert "suffix=_anonymized" in reason


def test_outputs_beside_their_inputs_need_their_suffix(tmp_path: Path) -> None:
    save(*(tmp_path / f"{name}.png" for name in ("a", "b", "a_anonymized", "b_anonymized")))
    assert refusal(tmp_path, f"outputs:dir={tmp_path}") != ""
    assert refusal(tmp_path, f"outputs:dir={tmp_path},suffix=_anonymized") == ""


def test_outputs_beside_their_inputs_are_no_inputs_whatever_their_suffix(tmp_path: Path) -> None:
    save(*(tmp_path / f"sub/{name}.png" for name in ("a", "b", "a_out", "b_out")))
    dataset = open_dataset(f"folder:{tmp_path}", exclude=output_paths([f"outputs:dir={tmp_path},suffix=_out"]))
    assert sorted(ref.id for ref in dataset.refs) == ["sub/a.png", "sub/b.png"]
    assert "2 files hold the outputs of a method and were left out" in dataset.notes


def test_a_folder_that_answers_for_no_input_is_refused_before_the_run(tmp_path: Path) -> None:
    save(tmp_path / "in/a.png", tmp_path / "in/b.png", tmp_path / "out/a_x.png", tmp_path / "out/b_x.png")
    assert refusal(tmp_path / "in", f"outputs:dir={tmp_path}/out").endswith(
        f"write outputs:dir={tmp_path}/out,suffix=_x"
    )
    assert refusal(tmp_path / "in", f"outputs:dir={tmp_path}/out,suffix=_x", "blur", "none") == ""


def test_a_pattern_tells_outputs_from_inputs_in_one_folder(tmp_path: Path) -> None:
    save(*(tmp_path / name for name in ("ann/a.png", "ann/b.png", "ann/a/face_0.png", "ann/b/face_0.png")))
    spec = f"outputs:dir={tmp_path},pattern={{folder}}/{{stem}}/face_{{n}}.png"
    dataset = open_dataset(f"folder:{tmp_path}", exclude=output_paths([spec]))
    assert sorted(ref.id for ref in dataset.refs) == ["ann/a.png", "ann/b.png"]
    assert refusal(tmp_path, spec) == ""
    reason = refusal(tmp_path, f"outputs:dir={tmp_path},pattern={{folder}}/{{stem}}.png")
    assert "inputs would pass for outputs" in reason
    assert reason.endswith(f"outputs:dir={tmp_path},pattern={{folder}}/{{stem}}_anonymized.{{ext}}")


def test_a_mistake_in_a_pattern_is_said_before_the_run(tmp_path: Path) -> None:
    save(tmp_path / "in/a.png", tmp_path / "out/a.png")
    spec = ("-d", f"folder:{tmp_path}/in", "-m", f"outputs:dir={tmp_path}/out,pattern={{stem}}_{{face}}.png")
    done = unmask_here("run", *spec, "--out", str(tmp_path / "run"))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "{face} is none of {folder}, {stem}, {ext}, {n}" in line
    assert not (tmp_path / "run").exists()
