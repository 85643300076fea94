"""Who plays which part of the thesis's protocol."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from unmask.bench.core import registry
from unmask.bench.core.errors import CheckpointError, ConfigError, DataError, SpecError, UnknownNameError
from unmask.bench.core.spec import Spec
from unmask.bench.study.thesis import ROLES, WIDE, choose_methods, choose_wide


class _Here:
    card = None


def _available(monkeypatch: pytest.MonkeyPatch, *names: str, without_weights: tuple[str, ...] = ()) -> None:
    def create(spec: Spec) -> _Here:
        if spec.name in without_weights:
            raise CheckpointError(f"there is no checkpoint {spec.name}.safetensors;\ngive the path of a file")
        if spec.name not in (*names, "none"):
            raise UnknownNameError("method", spec.name, names)
        return _Here()

    monkeypatch.setattr(registry, "create_method", create)


def test_all_that_is_here_plays_and_the_rest_is_left_out_with_one_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    _available(monkeypatch, "deepprivacy", "dp-att", "dp-att-s", without_weights=("stargan",))
    cast = choose_methods()
    toned = ["dp-att-s-dark", "dp-att-s-light", "dp-att-s-l1-dark", "dp-att-s-l1-light"]
    assert list(cast.specs) == ["none", "deepprivacy", "dp-att", *toned]
    assert cast.specs["dp-att-s-dark"] == "dp-att-s-dark=dp-att-s:tone=dark"
    assert set(cast.specs) | set(cast.left_out) == set(ROLES)
    assert cast.left_out["attgan"] == "not registered in this version"
    assert cast.left_out["stargan"] == "there is no checkpoint stargan.safetensors; give the path of a file"


def test_without_any_contestant_there_is_nothing_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    _available(monkeypatch)
    with pytest.raises(ConfigError, match="dp-att \\(not registered in this version\\)") as caught:
        choose_methods()
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="no method of the protocol"):
        choose_methods(["none"])


def test_parts_by_name_by_their_spec_and_by_stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    _available(monkeypatch, "deepprivacy", "dp-att-s", "blur")
    cast = choose_methods(["deepprivacy", "dp-att-s:tone=light", "dp-att=blur:sigma=0.1"])
    assert dict(cast.specs) == {
        "none": "none",
        "deepprivacy": "deepprivacy=deepprivacy",
        "dp-att-s-light": "dp-att-s-light=dp-att-s:tone=light",
        "dp-att": "dp-att=blur:sigma=0.1",
    }
    assert cast.left_out["dp-att-s-dark"] == "not selected"


def test_an_asked_part_that_cannot_be_played_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    _available(monkeypatch, "deepprivacy", without_weights=("dp-att",))
    with pytest.raises(CheckpointError):
        choose_methods(["dp-att"])
    with pytest.raises(UnknownNameError, match="did you mean deepprivacy"):
        choose_methods(["deeprivacy"])
    with pytest.raises(UnknownNameError):
        choose_methods(["mine=deepprivacy"])


def test_wrong_parameters_of_a_stand_in_are_told() -> None:
    with pytest.raises(SpecError):
        choose_methods(["dp-att=blur:nonsense=1"])


def test_wider_photos_that_are_not_here_are_left_out_unless_they_were_chosen(tmp_path: Path) -> None:
    specs, absent = choose_wide(root=tmp_path)
    assert specs == []
    assert list(absent) == ["celeba-identity:split=probe", "lfw:split=probe"]
    assert all(reason and "\n" not in reason for reason in absent.values())
    with pytest.raises(DataError):
        choose_wide(["lfw:split=probe"], tmp_path)
    assert choose_wide(["none"], tmp_path) == ([], {})


def test_wider_photos_have_a_label_of_their_own(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    assert choose_wide([f"folder:{tmp_path}", f"own=folder:{tmp_path}"])[0] == [
        f"wide-folder=folder:path={tmp_path}", f"own=folder:{tmp_path}",
    ]  # fmt: skip


def test_networks_may_have_learned_from_one_half_of_celeba_identity_only() -> None:
    assert "celeba-identity:split=probe" in WIDE
    assert "calibrate" not in "".join(WIDE)
