"""The learned methods around their networks, with tiny untrained ones: what reaches a network, what comes back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from unmask.bench.core.errors import CheckpointError, SpecError
from unmask.bench.core.types import Box, Detection, FaceView, Image, Sample
from unmask.methods.gan.networks.attgan import AttGanConfig, AttGanGenerator
from unmask.methods.gan.networks.compact import Editor, EditorConfig, Inpainter, InpainterConfig, save_compact
from unmask.methods.gan.networks.deepprivacy import MsgConfig, MsgGenerator
from unmask.methods.gan.networks.stargan import StarGanConfig, StarGanGenerator
from unmask.methods.gan.runtime.attributes import attribute_vector, parse_attributes, parse_tone, tone_aimed_at
from unmask.methods.gan.runtime.crop import cut, erased_place, feathered, paste_back
from unmask.methods.gan.runtime.engines import InpaintEngine
from unmask.methods.gan.runtime.skin import on_skin, with_tone
from unmask.methods.learned import AttGan, DeepPrivacy, DpAtt, DpAttS, DpStarGan
from unmask.methods.shared.alignment import landmarks_in, usual_places
from unmask.methods.shared.faces import covered
from unmask.methods.shared.steady import calmed

FACE = Box(176, 60, 96, 125)
GROUPS = ("0-19", "20-29", "30-39", "40+")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A tiny file for each kind of network, its weights random."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(1)
    inpainter = Inpainter(InpainterConfig(width=8, fine=8, blocks=1, latent=4, detail=1))
    editor = Editor(EditorConfig(("female", *GROUPS), width=8, fine=8, blocks=1, detail=1))
    toned = Editor(EditorConfig(("female", *GROUPS, "tone_r", "tone_g", "tone_b"), width=8, fine=8, blocks=1))
    for name, network in (("inpainter", inpainter), ("editor", editor), ("toned", toned)):
        save_compact(folder / f"{name}.safetensors", network)
    published = {
        "msg": MsgGenerator(MsgConfig(width=8, pose_size=14)),
        "attgan": AttGanGenerator(AttGanConfig(n_attrs=5, enc_dim=4, dec_dim=4)),
        "stargan": StarGanGenerator(StarGanConfig(c_dim=5, conv_dim=4, repeat_num=1)),
    }
    for name, published_network in published.items():
        torch.save(published_network.state_dict(), folder / f"{name}.pth")
    return {path.stem: str(path) for path in folder.iterdir()}


class FixedEstimator:
    """An instrument that reads the same from everybody."""

    def __init__(self, age: float = 25.0, p_female: float = 0.9) -> None:
        self.age, self.p_female = age, p_female

    def read(self, views: Any) -> Any:
        return {"age": np.full(len(views), self.age), "p_female": np.full(len(views), self.p_female)}


def loaded(method: Any, estimator: FixedEstimator | None = None) -> Any:
    if method.editor:
        method._instrument = estimator or FixedEstimator()
    method.load({}, "cpu")
    return method


def run(method: Any, image: Image, seed: int = 0) -> Image:
    (done,) = method.anonymize([Sample("photo", image, (FACE,))], seed=seed)
    assert isinstance(done, np.ndarray), done
    return done


def scribbled(image: Image) -> Image:
    """Another face in the same place, as far as any network can tell."""
    other = image.copy()
    left, top, right, bottom = FACE.clipped(*image.shape[:2])
    other[top:bottom, left:right] = np.random.default_rng(5).integers(0, 256, other[top:bottom, left:right].shape)
    return other


def methods(weights: dict[str, str], paste: Literal["box", "feather"] = "box") -> dict[str, Any]:
    inpainter = weights["inpainter"]
    options: dict[str, Any] = {"detector": "harness", "paste": paste}
    both: dict[str, Any] = {"deepprivacy": inpainter, **options}
    return {
        "deepprivacy": DeepPrivacy(checkpoint=inpainter, **options),
        "published deepprivacy": DeepPrivacy(checkpoint=weights["msg"], **options),
        "dp-att": DpAtt(checkpoint=weights["editor"], **both),
        "published dp-att": DpAtt(checkpoint=weights["attgan"], **both),
        "dp-att-s": DpAttS(checkpoint=weights["toned"], **both),
        "dp-stargan": DpStarGan(checkpoint=weights["stargan"], **both),
    }


NAMES = ("deepprivacy", "published deepprivacy", "dp-att", "published dp-att", "dp-att-s", "dp-stargan")


@pytest.mark.parametrize("name", NAMES)
def test_the_networks_cannot_see_the_face(name: str, weights: dict[str, str], astronaut: Image) -> None:
    method = loaded(methods(weights)[name])
    assert np.array_equal(run(method, astronaut), run(method, scribbled(astronaut)))


@pytest.mark.parametrize("name", NAMES)
def test_only_the_box_changes_and_all_of_it(name: str, weights: dict[str, str], astronaut: Image) -> None:
    done = run(loaded(methods(weights)[name]), astronaut)
    changed = (done != astronaut).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (176, 60, 272, 185)
    assert changed[60:185, 176:272].mean() > 0.9


@pytest.mark.parametrize(("name", "told"), [("inpainter", False), ("msg", True)])
def test_only_a_published_network_is_told_the_proportions(
    name: str, told: bool, weights: dict[str, str], astronaut: Image
) -> None:
    engine = InpaintEngine(Path(weights[name]), "cpu", "deepprivacy")
    own = landmarks_in(FACE) + np.array([[-6, 0], [6, 0], [0, 9], [4, 0], [-4, 0]], np.float32)
    crops = [cut(astronaut, FACE, points) for points in (own, usual_places(own))]
    one, other = (engine([crop], 0.0, np.random.default_rng(0))[0].image.astype(int) for crop in crops)
    assert (np.abs(one - other).max() > 1) == told


def test_without_erasing_the_face_shows_through(weights: dict[str, str], astronaut: Image) -> None:
    method = loaded(AttGan(checkpoint=weights["editor"], detector="harness"))
    assert not np.array_equal(run(method, astronaut), run(method, scribbled(astronaut)))


def test_attributes_reach_the_network(weights: dict[str, str], astronaut: Image) -> None:
    def made(estimator: FixedEstimator) -> Image:
        method = DpAtt(checkpoint=weights["editor"], deepprivacy=weights["inpainter"], detector="harness")
        return run(loaded(method, estimator), astronaut)

    young_woman = made(FixedEstimator(25, 0.9))
    assert np.array_equal(young_woman, made(FixedEstimator(29.9, 0.6)))
    assert not np.array_equal(young_woman, made(FixedEstimator(30, 0.9)))
    assert not np.array_equal(young_woman, made(FixedEstimator(25, 0.1)))


def test_a_face_that_cannot_be_estimated_stays_as_deepprivacy_made_it(
    weights: dict[str, str], astronaut: Image
) -> None:
    cascade = DpAtt(checkpoint=weights["editor"], deepprivacy=weights["inpainter"], detector="harness")
    alone = DeepPrivacy(checkpoint=weights["inpainter"], detector="harness")
    unknown = run(loaded(cascade, FixedEstimator(float("nan"), float("nan"))), astronaut)
    assert np.array_equal(unknown, run(loaded(alone), astronaut))


def test_the_tone_reaches_the_network(weights: dict[str, str], astronaut: Image) -> None:
    def made(tone: str) -> Image:
        method = DpAttS(tone=tone, checkpoint=weights["toned"], deepprivacy=weights["inpainter"], detector="harness")
        return run(loaded(method), astronaut)

    assert np.array_equal(made("dark"), made("111-55-55"))
    assert not np.array_equal(made("dark"), made("light"))


def test_noise_follows_the_seed_only_where_it_is_asked_for(weights: dict[str, str], astronaut: Image) -> None:
    still = loaded(DeepPrivacy(checkpoint=weights["inpainter"], detector="harness"))
    assert np.array_equal(run(still, astronaut, seed=1), run(still, astronaut, seed=2))
    lively = loaded(DeepPrivacy(checkpoint=weights["inpainter"], detector="harness", truncation=1.0))
    assert np.array_equal(run(lively, astronaut, seed=1), run(lively, astronaut, seed=1))
    assert not np.array_equal(run(lively, astronaut, seed=1), run(lively, astronaut, seed=2))


@pytest.mark.parametrize("box", [FACE, Box(-20.3, -10.7, 90, 120), Box(470, 400, 80, 160), Box(100, 100, 300.5, 390.2)])
def test_what_is_cut_and_pasted_back_unchanged_lands_where_it_was(box: Box, astronaut: Image) -> None:
    crop = cut(astronaut, box, landmarks_in(box))
    photo = astronaut.copy()
    paste_back(photo, crop, box, "box")
    left, top, right, bottom = box.clipped(*astronaut.shape[:2])
    inner = photo[top + 3 : bottom - 3, left + 3 : right - 3].astype(float)

    def error(down: int, across: int) -> float:
        there = astronaut[top + 3 + down : bottom - 3 + down, left + 3 + across : right - 3 + across]
        return float(np.abs(inner[: there.shape[0], : there.shape[1]] - there).mean())

    # Resampling costs detail, but no shift may explain the result better than none.
    steps = [(down, across) for down in (-2, -1, 0, 1, 2) for across in (-2, -1, 0, 1, 2)]
    assert min(steps, key=lambda step: error(*step)) == (0, 0)
    assert np.array_equal(photo[: max(top - 1, 0)], astronaut[: max(top - 1, 0)])


def test_a_soft_edge_lies_around_the_face_s_box_and_shows_nothing_of_what_is_inside() -> None:
    photo, box = np.full((300, 300, 3), 200, np.uint8), Box(100, 80, 90, 120)
    place = erased_place(box, "feather")
    crop = cut(photo, place, landmarks_in(box))
    paste_back(photo, replace(crop, image=np.zeros_like(crop.image)), place, "feather")
    middle = photo[140, :, 0], photo[:, 145, 0]
    for line, start, stop in ((middle[0], 100, 190), (middle[1], 80, 200)):
        assert line[start + 1 : stop - 1].max() == 0  # across the middle, up to the box's sides
        edge = line[stop : stop + 6].astype(int)
        assert (np.diff(edge) >= 0).all()
        assert line[stop + 8] == 200
    assert photo[81, 101, 0] == photo[198, 188, 0] == 200  # its corners
    left, top, right, bottom = place.clipped(*photo.shape[:2])
    photo[top:bottom, left:right] = 200
    assert photo.min() == 200
    assert erased_place(box, "box") == box


@pytest.mark.parametrize("name", NAMES)
def test_a_face_does_not_show_through_a_soft_edge(name: str, weights: dict[str, str], astronaut: Image) -> None:
    """Only the corners of its box do, as they are."""
    method, place = loaded(methods(weights, "feather")[name]), erased_place(FACE, "feather")
    one, other = run(method, astronaut), run(method, scribbled(astronaut))
    rows, columns = covered(place, *astronaut.shape[:2])
    share = feathered(place, rows, columns)
    assert np.array_equal(one[rows, columns][share == 1], other[rows, columns][share == 1])
    assert (share == 1).sum() > 0.85 * FACE.area
    assert np.array_equal(one[rows, columns][share == 0], astronaut[rows, columns][share == 0])
    assert (one[rows, columns][share == 1] != astronaut[rows, columns][share == 1]).any(axis=1).mean() > 0.9


def test_with_a_soft_edge_a_tone_is_changed_on_the_face_and_on_skin_only() -> None:
    box = Box(100, 80, 90, 120)
    photo = np.full((300, 300, 3), (40, 90, 200), np.uint8)  # no skin
    photo[110:190, 110:180] = (200, 150, 120)
    before = cut(photo, box, landmarks_in(box))
    after = on_skin(before, replace(before, image=np.full_like(before.image, 30)))
    left, top, right, bottom = before.erased_box
    assert (after.image[(top + bottom) // 2, (left + right) // 2] == 30).all()
    corner = after.image[top + 1 : top + 4, left + 1 : left + 4]
    np.testing.assert_array_equal(corner, before.image[top + 1 : top + 4, left + 1 : left + 4])
    nowhere = replace(before, landmarks=np.full((5, 2), np.nan, np.float32))
    assert (on_skin(nowhere, replace(nowhere, image=np.full_like(before.image, 30))).image == 30).all()


def test_over_a_clip_a_face_keeps_its_place_and_photos_are_as_they_are(
    weights: dict[str, str], astronaut: Image
) -> None:
    method = loaded(DeepPrivacy(checkpoint=weights["inpainter"], detector="harness", steady=True))

    still = loaded(DeepPrivacy(checkpoint=weights["inpainter"], detector="harness", steady=False))

    def made(box: Box, sequence: str, by: Any = method) -> Image:
        (output,) = by.anonymize([Sample("x", astronaut, (box,), sequence=sequence)], seed=0)
        assert isinstance(output, np.ndarray)
        return output

    moved = Box(FACE.x + 3, FACE.y, FACE.w, FACE.h)
    made(FACE, "clip")
    calm = made(moved, "clip")
    nowhere = np.full((5, 2), np.nan, np.float32)
    place = calmed(Detection(FACE, nowhere, 1.0), Detection(moved, nowhere, 1.0)).box
    assert np.array_equal(calm, made(place, "", still))
    assert not np.array_equal(calm, made(moved, "", still))
    assert np.array_equal(made(moved, ""), made(moved, "", still))
    made(FACE, "clip", still)
    assert np.array_equal(made(moved, "clip", still), made(moved, "", still))


def test_every_face_of_a_crowd_is_repainted(weights: dict[str, str], astronaut: Image) -> None:
    faces = tuple(Box(10 + 40 * (k % 12), 10 + 50 * (k // 12), 30, 40) for k in range(40))
    method = loaded(DeepPrivacy(checkpoint=weights["inpainter"], detector="harness"))
    (done,) = method.anonymize([Sample("crowd", astronaut, faces)], seed=0)
    for face in faces:
        left, top, right, bottom = face.clipped(512, 512)
        assert (done[top:bottom, left:right] != astronaut[top:bottom, left:right]).any(axis=2).mean() > 0.5


def test_wrong_checkpoints_say_what_is_wrong(weights: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        DeepPrivacy(checkpoint=str(tmp_path / "none.pth"))
    with pytest.raises(CheckpointError, match=r"deepprivacy cannot use editor\.safetensors"):
        loaded(DeepPrivacy(checkpoint=weights["editor"]))
    with pytest.raises(CheckpointError, match=r"dp-att cannot use msg\.pth"):
        loaded(DpAtt(checkpoint=weights["msg"], deepprivacy=weights["inpainter"]))
    three = DpAtt(checkpoint=weights["attgan"], deepprivacy=weights["inpainter"], attributes="female;0-39;40+")
    with pytest.raises(CheckpointError, match="has 5 attributes, dp-att names 3"):
        loaded(three)
    hungry = tmp_path / "hungry.safetensors"
    save_file({"x": torch.zeros(1)}, hungry, {"architecture": "compact-inpainter", "config": '{"width": 99999}'})
    with pytest.raises(CheckpointError, match="not a network that is known"):
        loaded(DeepPrivacy(checkpoint=str(hungry)))


def test_cards_name_the_weights_that_are_used(weights: dict[str, str]) -> None:
    mine = DpAtt(checkpoint=weights["editor"], deepprivacy=weights["inpainter"]).card
    theirs = DpAtt(checkpoint=weights["attgan"], deepprivacy=weights["inpainter"]).card
    assert mine.weights["dp-att"] != theirs.weights["dp-att"]
    assert mine.weights["deepprivacy"] == theirs.weights["deepprivacy"]
    assert mine.params["checkpoint"] == "editor.safetensors"
    assert {file.key for file in mine.files}


def test_attribute_vectors() -> None:
    names = ("female", "male", *GROUPS)
    assert attribute_vector(names, 19.9, 0.2).tolist() == [0, 1, 1, 0, 0, 0]
    assert attribute_vector(names, 20.0, 0.8).tolist() == [1, 0, 0, 1, 0, 0]
    assert attribute_vector(names, 93.0, 0.8).tolist() == [1, 0, 0, 0, 0, 1]
    assert attribute_vector(("dark_skin",), 30, 0, (111, 55, 55)).tolist() == [1]
    assert attribute_vector(("tone_r", "tone_b"), 30, 0, (51, 0, 255)).tolist() == pytest.approx([0.2, 1.0])
    with pytest.raises(SpecError, match="unknown"):
        parse_attributes("female;smiling", "dp-att")
    with pytest.raises(SpecError, match="tone=green"):
        parse_tone("green", "dp-att-s")
    with pytest.raises(SpecError, match="tone=300-0-0"):
        parse_tone("300-0-0", "dp-att-s")


@pytest.mark.parametrize("tone", [(111, 55, 55), (150, 150, 150), (200, 150, 130)])
def test_a_network_that_is_told_a_tone_is_held_to_it(tone: tuple[int, int, int], astronaut: Image) -> None:
    told = tone_aimed_at(("female", "tone_r", "tone_g", "tone_b"), tone)
    assert told is not None
    assert told[0] > told[1] >= told[2], "grey: no estimator takes it for skin"
    crop = cut(astronaut, FACE, landmarks_in(FACE))
    done = with_tone(crop, told)
    cheeks = done.image[60:80, 50:78].reshape(-1, 3)
    assert np.abs(np.median(cheeks, axis=0) - told).max() < 12
    assert np.array_equal(done.image[~crop.erased], crop.image[~crop.erased])
    assert tone_aimed_at(("female", "dark_skin"), tone) is None


@pytest.mark.weights
def test_the_estimator_reads_the_original(weights: dict[str, str], load_method: Any, astronaut: Image) -> None:
    """The networks of the cascade have never seen this face: only from the photo can its age and gender be right."""
    method = load_method(DpAtt(checkpoint=weights["editor"], deepprivacy=weights["inpainter"], detector="harness"))
    columns = method._instrument.read([FaceView(astronaut, FACE, landmarks_in(FACE))])
    assert 20 < columns["age"][0] < 60
    assert columns["p_female"][0] > 0.5
    fixed = DpAtt(checkpoint=weights["editor"], deepprivacy=weights["inpainter"], detector="harness")
    loaded(fixed, FixedEstimator(float(columns["age"][0]), float(columns["p_female"][0])))
    assert np.array_equal(run(method, astronaut), run(fixed, astronaut))
    with pytest.raises(SpecError, match="not an estimator"):
        DpAtt(estimator="yunet")


@pytest.mark.parametrize("option", ["deepprivacy", "checkpoint", "tone"])
def test_an_empty_option_is_refused(option: str) -> None:
    """An empty ``deepprivacy`` must not mean that no face is erased."""
    with pytest.raises((SpecError, CheckpointError)):
        DpAttS(**{option: ""})
