"""Somebody else's outputs: matched, or counted as failures; never dropped, never guessed."""

from __future__ import annotations

import errno
import io
import os
import re
import unicodedata
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.methods.support import noise
from unmask.bench.core.cards import Scalar
from unmask.bench.core.errors import SpecError
from unmask.bench.core.images import IMAGE_EXTENSIONS, decode_image
from unmask.bench.core.registry import create_method
from unmask.bench.core.spec import Spec
from unmask.bench.core.types import Image, MethodFailure, Sample
from unmask.bench.run.contestants.calling import checked
from unmask.methods.outputs import StoredOutputs

INPUT = noise(30, 40)


def save(path: Path, image: Image) -> Image:
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(image).save(path)
    return image


def answer(folder: Path, sample_id: str) -> Image | MethodFailure:
    method = create_method(Spec("outputs", {"dir": str(folder)}))
    method.load({}, "cpu")
    (output,) = method.anonymize([Sample(sample_id, INPUT)], seed=0)
    return output


def reason(output: Image | MethodFailure) -> str:
    assert isinstance(output, MethodFailure)
    return output.reason


@pytest.mark.parametrize("name", ["ann/1.png", "ann/1.bmp", "1.png", "elsewhere/deep/1.png", "flat/1.tiff"])
def test_matches(tmp_path: Path, name: str) -> None:
    expected = save(tmp_path / name, noise(30, 40, 1))
    output = answer(tmp_path, "ann/1.png")
    np.testing.assert_array_equal(output, expected)


def test_prefers_the_nearest_match(tmp_path: Path) -> None:
    save(tmp_path / "1.png", noise(30, 40, 1))
    save(tmp_path / "ann/1.bmp", noise(30, 40, 2))
    exact = save(tmp_path / "ann/1.png", noise(30, 40, 3))
    np.testing.assert_array_equal(answer(tmp_path, "ann/1.png"), exact)


def test_a_dot_in_a_name_is_not_an_extension(tmp_path: Path) -> None:
    expected = save(tmp_path / "v1.2.png", noise(30, 40, 1))
    save(tmp_path / "v1.3.png", noise(30, 40, 2))
    np.testing.assert_array_equal(answer(tmp_path, "v1.2"), expected)


def test_missing(tmp_path: Path) -> None:
    save(tmp_path / "2.png", INPUT)
    assert reason(answer(tmp_path, "ann/1.png")) == "no output file"


def test_the_harness_judges_sizes(tmp_path: Path) -> None:
    save(tmp_path / "1.png", noise(32, 32))
    assert reason(checked(answer(tmp_path, "1.png"), INPUT)) == "output is 32x32, the input is 40x30"


def test_ambiguous(tmp_path: Path) -> None:
    save(tmp_path / "a/1.png", INPUT)
    save(tmp_path / "b/1.png", INPUT)
    assert reason(answer(tmp_path, "1.png")) == "2 output files match 1.png: a/1.png, b/1.png"
    np.testing.assert_array_equal(answer(tmp_path, "a/1.png"), INPUT)


def test_of_equal_names_the_one_with_the_longest_common_end_is_meant(tmp_path: Path) -> None:
    """Outputs below another folder, one folder a person."""
    ids = [f"{person}/{k}.jpg" for person in ("ann", "bob", "cid") for k in (1, 2)]
    saved = {name: save(tmp_path / "results" / f"{name[:-4]}.png", noise(30, 40, k)) for k, name in enumerate(ids)}
    for name, output in answers(tmp_path, *ids).items():
        np.testing.assert_array_equal(output, saved[name])
    assert reason(answers(tmp_path, "dora/1.jpg", *ids)["dora/1.jpg"]).startswith(
        "3 output files match dora/1.jpg: results/ann"
    )


@pytest.mark.parametrize("ending", sorted(IMAGE_EXTENSIONS - {".png"}))
def test_every_ending_that_is_read_as_an_input_is_an_outputs_too(tmp_path: Path, ending: str) -> None:
    save(tmp_path / "1.png", INPUT).tofile(tmp_path / f"2{ending}")
    assert reason(answer(tmp_path, "2.jpg")).startswith("output cannot be read")
    (tmp_path / f"3{ending.upper()}").write_bytes(b"")
    assert reason(answer(tmp_path, "3.png")).startswith("output cannot be read")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_and_capitals_are_compared_last(tmp_path: Path, form: Literal["NFC", "NFD"]) -> None:
    other: Literal["NFC", "NFD"] = "NFD" if form == "NFC" else "NFC"
    expected = save(tmp_path / unicodedata.normalize(form, "Jos\u00e9/IMG_1.PNG"), noise(30, 40, 1))
    for name in ("Jos\u00e9/IMG_1.jpg", "jos\u00e9/img_1.JPG", "img_1.webp"):
        np.testing.assert_array_equal(answer(tmp_path, unicodedata.normalize(other, name)), expected)
    exact = save(tmp_path / unicodedata.normalize(other, "Jos\u00e9/IMG_1.png"), noise(30, 40, 2))
    np.testing.assert_array_equal(answer(tmp_path, unicodedata.normalize(other, "Jos\u00e9/IMG_1.png")), exact)


def affixed(folder: Path, **affixes: Scalar) -> StoredOutputs:
    method = create_method(Spec("outputs", {"dir": str(folder), **affixes}))
    assert isinstance(method, StoredOutputs)
    return method


def test_what_a_tool_adds_to_names(tmp_path: Path) -> None:
    save(tmp_path / "ann/1.jpg", INPUT)
    expected = save(tmp_path / "ann/new-1_anonymized.png", noise(30, 40, 1))
    method = affixed(tmp_path, prefix="new-", suffix="_anonymized")
    first, other = method.anonymize([Sample("ann/1.jpg", INPUT), Sample("ann/2.jpg", INPUT)], seed=0)
    np.testing.assert_array_equal(first, expected)
    assert reason(other) == "no output file"
    assert method.card.params["suffix"] == "_anonymized"
    assert method.card.params["images"] == 1


def test_a_suffix_that_looks_like_a_number(tmp_path: Path) -> None:
    expected = save(tmp_path / "a2.png", INPUT)
    (output,) = affixed(tmp_path, suffix=2).anonymize([Sample("a.png", INPUT)], seed=0)
    np.testing.assert_array_equal(output, expected)


def test_outputs_by_a_pattern(tmp_path: Path) -> None:
    ids = ["ann/1.jpg", "ann/2.jpg", "bob/1.jpg"]
    expected = save(tmp_path / "ann/1/face_0.png", noise(30, 40, 1))
    save(tmp_path / "ann/2/face_0.png", INPUT)
    save(tmp_path / "ann/2/face_1.png", INPUT)
    save(tmp_path / "bob/1/mask_0.png", INPUT)
    method = affixed(tmp_path, pattern="{folder}/{stem}/face_{n}.png")
    assert method.mismatch(ids) == ""
    method.expect(ids)
    first, several, none = method.anonymize([Sample(name, INPUT) for name in ids], seed=0)
    np.testing.assert_array_equal(first, expected)
    assert reason(several) == "2 output files match ann/2.jpg: ann/2/face_0.png, ann/2/face_1.png"
    assert reason(none) == "no output file for bob/1.jpg; pattern={folder}/{stem}/face_{n}.png fits none"
    assert (method.card.params["pattern"], method.card.params["images"]) == ("{folder}/{stem}/face_{n}.png", 3)
    wrong = affixed(tmp_path, pattern="{folder}/{stem}/eye_{n}.png").mismatch(ids)
    assert wrong == (
        f"outputs: none of 3 inputs has an output in {str(tmp_path)!r}; the folder holds e.g. ann/1/face_0.png; "
        "write how it is called in place of pattern={folder}/{stem}/eye_{n}.png"
    )
    for text in ("{folder}/1.png", 5):
        with pytest.raises(SpecError, match=r"without \{stem\}"):
            affixed(tmp_path, pattern=text)


@pytest.mark.parametrize(
    ("pattern", "write"),
    [
        ("{}_anonymized.jpg", "suffix=_anonymized"),
        ("anon-{}.png", "prefix=anon-"),
        ("out_{}-blurred.png", "prefix=out_,suffix=-blurred"),
    ],
)
def test_where_nothing_fits_the_message_says_what_to_write(tmp_path: Path, pattern: str, write: str) -> None:
    ids = [f"Person_{c}/Person_{c}_{k:04}.jpg" for c in "AB" for k in (1, 2)]
    for name in ids:
        save(tmp_path / pattern.format(Path(name).stem), INPUT)
    method = StoredOutputs(dir=str(tmp_path))
    example = pattern.format("Person_A_0001")
    assert method.mismatch(ids) == (
        f"outputs: none of 4 inputs has an output in {str(tmp_path)!r}; the folder holds e.g. {example}; "
        f"write outputs:dir={tmp_path},{write}"
    )
    added = dict(part.split("=") for part in write.split(","))
    assert affixed(tmp_path, **added).mismatch(ids) == ""
    assert affixed(tmp_path, suffix="_wrong").mismatch(ids).endswith(write)
    save(tmp_path / "Person_A_0001.png", INPUT)
    partly = StoredOutputs(dir=str(tmp_path))
    assert partly.mismatch(ids) == ""
    partly.expect(ids)
    found = partly.anonymize([Sample(name, INPUT) for name in ids], seed=0)
    assert [reason(output) for output in found[1:]] == [f"no output file; with {write} there is one"] * 3


def test_an_empty_folder_is_no_answer(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    assert "which holds no images" in StoredOutputs(dir=str(tmp_path)).mismatch(["a.jpg"])


def test_links_get_the_reason_that_inputs_get(tmp_path: Path) -> None:
    inside, outside = tmp_path / "outputs", tmp_path / "outside"
    save(outside / "1.png", INPUT)
    save(inside / "real.png", INPUT)
    (inside / "1.png").symlink_to(outside / "1.png")
    (inside / "2.png").symlink_to(inside / "nowhere.png")
    (inside / "3.png").symlink_to(inside / "real.png")
    (inside / "ann").symlink_to(outside)
    assert reason(answer(inside, "1.jpg")) == "output cannot be read: a link that leads outside the folder"
    assert reason(answer(inside, "2.jpg")) == "output cannot be read: a link that leads nowhere"
    np.testing.assert_array_equal(answer(inside, "3.jpg"), INPUT)
    assert reason(answer(inside, "ann/7.jpg")) == "no output file; its folder is a link and was not followed"


def answers(folder: Path, *ids: str) -> dict[str, Image | MethodFailure]:
    """What the inputs of a whole data set are given."""
    method = StoredOutputs(dir=str(folder))
    method.expect(ids)
    return dict(zip(ids, method.anonymize([Sample(i, INPUT) for i in ids], seed=0), strict=True))


def test_a_file_of_a_flat_folder_is_never_used_for_two_inputs(tmp_path: Path) -> None:
    save(tmp_path / "1.png", INPUT)
    save(tmp_path / "2.png", INPUT)
    found = answers(tmp_path, "ann/1.jpg", "bob/1.jpg", "bob/2.jpg", "bob/3.jpg")
    assert reason(found["ann/1.jpg"]) == "its output file 1.png is also that of bob/1.jpg"
    assert reason(found["bob/1.jpg"]) == "its output file 1.png is also that of ann/1.jpg"
    np.testing.assert_array_equal(found["bob/2.jpg"], INPUT)
    assert reason(found["bob/3.jpg"]) == "no output file"


def test_nor_is_one_that_differs_by_extension_only(tmp_path: Path) -> None:
    save(tmp_path / "ann/1.webp", INPUT)
    found = answers(tmp_path, "ann/1.jpg", "ann/1.png")
    assert reason(found["ann/1.png"]) == "its output file ann/1.webp is also that of ann/1.jpg"
    assert isinstance(found["ann/1.jpg"], MethodFailure)


def test_a_file_belongs_to_the_input_that_it_matches_best(tmp_path: Path) -> None:
    save(tmp_path / "ann/1.png", INPUT)
    found = answers(tmp_path, "bob/1.jpg", "ann/1.png")
    np.testing.assert_array_equal(found["ann/1.png"], INPUT)
    assert reason(found["bob/1.jpg"]) == "its output file ann/1.png is also that of ann/1.png"


def test_each_data_set_has_claims_of_its_own(tmp_path: Path) -> None:
    save(tmp_path / "1.png", INPUT)
    method = StoredOutputs(dir=str(tmp_path))
    for ids in (["ann/1.jpg", "bob/1.jpg"], ["ann/1.jpg"]):
        method.expect(ids)
        (output,) = method.anonymize([Sample("ann/1.jpg", INPUT)], seed=0)
        assert isinstance(output, MethodFailure) == (len(ids) == 2)


def test_unreadable(tmp_path: Path) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("<html>404</html>")
    buffer = io.BytesIO()
    Pillow.fromarray(INPUT).save(buffer, "PNG")
    (tmp_path / "cut.png").write_bytes(buffer.getvalue()[:1500])
    for name in ("empty.png", "text.png", "cut.png"):
        why = reason(answer(tmp_path, name))
        assert why.startswith("output cannot be read: ")
        assert str(tmp_path) not in why


def test_a_file_that_claims_a_huge_image_is_never_decoded(tmp_path: Path) -> None:
    header = b"IHDR" + (50_000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    bomb = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4, "big") + header + zlib.crc32(header).to_bytes(4, "big")
    (tmp_path / "1.png").write_bytes(bomb)
    assert isinstance(answer(tmp_path, "1.png"), MethodFailure)


@pytest.mark.parametrize("evil", ["../secret.png", "/secret.png", "a/../../secret.png"])
def test_ids_cannot_reach_outside_the_folder(tmp_path: Path, evil: str) -> None:
    save(tmp_path / "secret.png", INPUT)
    inside = tmp_path / "outputs"
    save(inside / "2.png", INPUT)
    (inside / "secret.png").symlink_to(tmp_path / "secret.png")
    for name in (evil, str(tmp_path / "secret.png")):
        assert reason(answer(inside, name)) == "output cannot be read: a link that leads outside the folder"


def test_turns_as_exif_says(tmp_path: Path) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    Pillow.fromarray(np.rot90(INPUT)).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(answer(tmp_path, "turned.png"), INPUT)
    Pillow.fromarray(INPUT).save(tmp_path / "lying.png", exif=exif)
    assert reason(checked(answer(tmp_path, "lying.png"), INPUT)).startswith("output is 30x40, the input is 40x30")


def test_a_face_hidden_under_transparent_pixels_is_not_hidden(tmp_path: Path) -> None:
    alpha = np.dstack([INPUT, np.full(INPUT.shape[:2], 255, np.uint8)])
    Pillow.fromarray(alpha).save(tmp_path / "opaque.png")
    np.testing.assert_array_equal(answer(tmp_path, "opaque.png"), INPUT)
    alpha[10:20, 10:20, 3] = 0
    Pillow.fromarray(alpha).save(tmp_path / "hidden.png")
    assert reason(answer(tmp_path, "hidden.png")).startswith("output cannot be read: it has transparent pixels")


@pytest.mark.parametrize(("mode", "suffix"), [("L", "png"), ("1", "png"), ("P", "png"), ("P", "gif"), ("CMYK", "jpg")])
def test_reads_as_the_harness_reads_inputs(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"1.{suffix}"
    Pillow.fromarray(INPUT).convert(mode).save(path)
    np.testing.assert_array_equal(answer(tmp_path, "1.png"), decode_image(path.read_bytes(), "1"))


def test_grey_of_8_and_16_bits_becomes_rgb(tmp_path: Path) -> None:
    grey = INPUT[..., 0]
    Pillow.fromarray(grey).save(tmp_path / "8.png")
    Pillow.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "16.png")
    for name in ("8.png", "16.png"):
        np.testing.assert_array_equal(answer(tmp_path, name), np.repeat(grey[..., None], 3, axis=-1))


def test_a_changed_folder_is_another_card_and_a_moved_one_is_not(tmp_path: Path) -> None:
    for place in ("here/out", "there/Ann Lee"):
        save(tmp_path / place / "1.png", INPUT)
    here, there = (StoredOutputs(dir=str(tmp_path / place)).card for place in ("here/out", "there/Ann Lee"))
    assert here == there
    assert not re.search(f"{re.escape(str(tmp_path))}|Ann", str(there))
    save(tmp_path / "there/Ann Lee/1.png", noise(30, 40, 9))
    assert StoredOutputs(dir=str(tmp_path / "there/Ann Lee")).card != here


def test_links_that_lead_outside_are_named_where_nothing_else_is_there(tmp_path: Path) -> None:
    outputs, elsewhere = tmp_path / "outputs", tmp_path / "elsewhere.jpg"
    outputs.mkdir()
    elsewhere.write_bytes(b"x")
    (outputs / "a.jpg").symlink_to(elsewhere)
    assert "a.jpg is a link that leads outside the folder" in StoredOutputs(dir=str(outputs)).mismatch(["a.jpg"])


def test_a_file_that_cannot_be_read_is_a_failure_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "1.png", INPUT)
    save(tmp_path / "2.png", INPUT)
    plain = Path.open

    def refused(path: Path, *arguments: Any, **named: Any) -> Any:
        if path.name == "2.png":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return plain(path, *arguments, **named)

    monkeypatch.setattr(Path, "open", refused)
    assert reason(answer(tmp_path, "2.png")) == "output cannot be read: Permission denied"
    np.testing.assert_array_equal(answer(tmp_path, "1.png"), INPUT)
    assert StoredOutputs(dir=str(tmp_path)).card.params["images"] == 2


def test_a_folder_that_cannot_be_listed_is_no_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "1.png", INPUT)

    def refused(path: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(SpecError, match=r"cannot be listed \(Permission denied\); check its permissions"):
        _ = StoredOutputs(dir=str(tmp_path)).card
