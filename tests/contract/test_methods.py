"""What every registered method must keep, ours and other people's."""

from __future__ import annotations

import dataclasses
import inspect
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.support.shading import NAME as SHADING
from tests.support.shading import write_recipe
from unmask.bench.core.cards import MethodCard
from unmask.bench.core.errors import SpecError
from unmask.bench.core.protocols import Method
from unmask.bench.core.recipes import VARIABLE, read_recipe
from unmask.bench.core.registry import create_method, names
from unmask.bench.core.seeds import sample_rng
from unmask.bench.core.spec import Spec
from unmask.bench.core.types import Box, Image, MethodFailure, Sample
from unmask.bench.fetch.recipes import install

Load = Callable[[Method], Method]
PAINTING = """
import pathlib, struct, sys, zlib
def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
for file in pathlib.Path(sys.argv[1]).iterdir():
    picture = file.read_bytes()
    width, height = struct.unpack(">2I", picture[16:24])
    rows = (b"\\0" + bytes([zlib.crc32(picture) % 256]) * (3 * width)) * height
    header = chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0))
    painted = picture[:8] + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    pathlib.Path(sys.argv[2], file.name).write_bytes(painted)
"""
"""A program that paints each picture in a grey of its own; it imports little, since it is started for every batch."""
IDS = ("a/1.png", "a/2.png", "b/1.jpg")


@pytest.fixture
def samples(astronaut: Image) -> list[Sample]:
    return make_samples(astronaut)


def make_samples(astronaut: Image) -> list[Sample]:
    """A face, the same face elsewhere in a photo of another size, and a photo without a face."""
    photo = np.ascontiguousarray(astronaut[:400:2, 100:400:2])
    shifted = np.ascontiguousarray(photo[10:140, 20:140])
    empty = np.full((48, 64, 3), 127, dtype=np.uint8)
    boxes = ((Box(37, 32, 48, 63),), (Box(17, 22, 48, 63),), ())
    return [Sample(i, image, b) for i, image, b in zip(IDS, (photo, shifted, empty), boxes, strict=True)]


@pytest.fixture(scope="session")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a recipe that is installed."""
    folder = tmp_path_factory.mktemp("recipes")
    write_recipe(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder))
        recipe = read_recipe(SHADING)
        install(recipe)
        yield SHADING
        shutil.rmtree(recipe.environment, ignore_errors=True)


@pytest.fixture(scope="module", params=names("method"))
def spec(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, astronaut: Image) -> Spec:
    """Each registered method, with what it cannot do without."""
    name: str = request.param
    if name == "recipe":
        return Spec(name, {"name": request.getfixturevalue("recipes")})
    folder = tmp_path_factory.mktemp("method")
    if name == "command":
        (folder / "tool.py").write_text(PAINTING)
        return Spec(name, {"run": f"{sys.executable} -S {folder}/tool.py {{input}} {{output}}"})
    if name != "outputs":
        return Spec(name)
    for sample in make_samples(astronaut):
        target = (folder / sample.id).with_suffix(".png")
        target.parent.mkdir(exist_ok=True)
        Pillow.fromarray(255 - sample.image).save(target)
    return Spec(name, {"dir": str(folder)})


@pytest.fixture(scope="module")
def opened(spec: Spec, load_method: Load) -> Callable[[], Method]:
    """A new instance of the method each time, ready for work."""
    return lambda: load_method(create_method(spec))


@pytest.fixture(scope="module")
def method(opened: Callable[[], Method]) -> Method:
    """One for all tests of a method: loading some takes longer than a test."""
    return opened()


def arrays(outputs: Sequence[Image | MethodFailure]) -> list[Image]:
    kept = [output for output in outputs if not isinstance(output, MethodFailure)]
    assert len(kept) == len(outputs)
    return kept


def test_is_a_method(method: Method) -> None:
    assert isinstance(method, Method)


def test_images_come_back_in_order_with_shape_and_type(method: Method, samples: list[Sample]) -> None:
    for sample, output in zip(samples, arrays(method.anonymize(samples, seed=0)), strict=True):
        assert output.shape == sample.image.shape
        assert output.dtype == np.uint8


def test_inputs_are_left_alone(method: Method, samples: list[Sample]) -> None:
    """Also not shared: writing to an output must not write to the original."""
    before = [sample.image.copy() for sample in samples]
    for output in arrays(method.anonymize(samples, seed=0)):
        assert output.flags.writeable
        output[:] = 0
    for sample, image in zip(samples, before, strict=True):
        np.testing.assert_array_equal(sample.image, image)


def test_read_only_inputs_are_enough(method: Method, samples: list[Sample]) -> None:
    for sample in samples:
        sample.image.flags.writeable = False
    arrays(method.anonymize(samples, seed=0))


def test_an_empty_batch_is_an_empty_answer(method: Method) -> None:
    assert list(method.anonymize([], seed=0)) == []


def test_a_batch_is_the_same_as_one_by_one_in_any_order(method: Method, samples: list[Sample]) -> None:
    together = arrays(method.anonymize(samples, seed=3))
    alone = [arrays(method.anonymize([sample], seed=3))[0] for sample in samples]
    backwards = arrays(method.anonymize(samples[::-1], seed=3))[::-1]
    for a, b, c in zip(together, alone, backwards, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


def test_a_photo_does_not_depend_on_the_frames_of_a_clip_before_it(method: Method, samples: list[Sample]) -> None:
    alone = arrays(method.anonymize(samples, seed=3))
    for number in (0, 1, 0, 2, 1):
        arrays(method.anonymize([dataclasses.replace(samples[number], sequence="clip")], seed=3))
    for a, b in zip(alone, arrays(method.anonymize(samples, seed=3)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_clip_begins_without_what_another_one_left(method: Method, samples: list[Sample]) -> None:
    clips = [[dataclasses.replace(samples[number], sequence=name) for number in (0, 1, 0)] for name in "aba"]
    outputs = [arrays([method.anonymize([frame], seed=3)[0] for frame in clip]) for clip in clips]
    for first, *others in zip(*outputs, strict=True):
        for other in others:
            np.testing.assert_array_equal(first, other)


def test_the_same_seed_gives_the_same_images(
    method: Method, opened: Callable[[], Method], samples: list[Sample]
) -> None:
    """From a second instance, too: nothing depends on what it did before."""
    outputs = []
    for each in (method, opened()):
        each.anonymize(samples[::-1], seed=9)
        outputs.append(arrays(each.anonymize(samples, seed=5)))
    for a, b in zip(*outputs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_card_is_complete(method: Method, spec: Spec) -> None:
    card = method.card
    assert card.name == spec.name
    assert card.detector in ("none", "mtcnn", "harness")
    for field in ("version", "description", "licence", "source"):
        assert getattr(card, field), f"{field} is empty"
    assert all(isinstance(value, str | int | float | bool) for value in card.params.values())
    assert all(len(value) == 64 and int(value, 16) for value in card.weights.values())
    assert method.card == card


def test_the_card_shows_every_parameter_with_its_default(spec: Spec) -> None:
    method = create_method(spec)
    for name, parameter in inspect.signature(type(method)).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            continue
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert name in method.card.params
        if parameter.default is not inspect.Parameter.empty:
            assert method.card.params[name] == parameter.default


def test_faces_are_changed_unless_it_is_the_control(method: Method, spec: Spec, samples: list[Sample]) -> None:
    """Else the tests above would be about methods that found nothing to do."""
    outputs = arrays(method.anonymize(samples, seed=0))
    for sample, output in list(zip(samples, outputs, strict=True))[:2]:
        assert (output != sample.image).any() == (spec.name != "none")


def test_unknown_parameters_are_refused(spec: Spec) -> None:
    with pytest.raises(SpecError, match="has no parameter 'colour'"):
        create_method(Spec(spec.name, {**spec.params, "colour": "red"}))


def test_tiny_and_odd_images(method: Method) -> None:
    """One pixel, one row, odd sides: an image of the same size or a failure with a reason, not a crash."""
    shapes = ((1, 1), (1, 37), (37, 1), (21, 33))
    batch = [Sample(f"odd/{h}x{w}.png", np.full((h, w, 3), 200, dtype=np.uint8)) for h, w in shapes]
    for sample, output in zip(batch, method.anonymize(batch, seed=0), strict=True):
        if isinstance(output, MethodFailure):
            assert output.reason
        else:
            assert output.shape == sample.image.shape


class Sprinkle:
    """A method as somebody else would write one, without importing anything but `bench.core`."""

    def __init__(self, *, strength: int = 10) -> None:
        self.card = MethodCard("sprinkle", "1", "noise", "MIT", "a test", params={"strength": strength})
        self._strength = strength

    def load(self, files: Mapping[str, Path], device: str) -> None: ...

    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Sequence[Image | MethodFailure]:
        outputs: list[Image | MethodFailure] = []
        for sample in batch:
            noise = sample_rng(seed, sample.draw).integers(0, self._strength, sample.image.shape)
            outputs.append(np.clip(sample.image + noise, 0, 255).astype(np.uint8))
        return outputs


def test_a_method_of_somebody_else_is_a_method(samples: list[Sample]) -> None:
    method = Sprinkle()
    assert isinstance(method, Method)
    test_a_batch_is_the_same_as_one_by_one_in_any_order(method, samples)
    test_inputs_are_left_alone(method, samples)
    one, same, other = (arrays(method.anonymize(samples, seed=s))[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    alike, apart = (
        arrays(method.anonymize([samples[0], dataclasses.replace(samples[0], id="x", draw=draw)], seed=0))
        for draw in (IDS[0], "y")
    )
    assert (alike[0] == alike[1]).all()
    assert (apart[0] != apart[1]).any()


def test_samples_of_one_draw_are_edited_alike(method: Method, samples: list[Sample]) -> None:
    """Whatever they are called; without a draw it is by the id."""
    if getattr(method, "needs_names", False):
        pytest.skip("goes by names")
    drawn = [dataclasses.replace(sample, id=f"other/{sample.id}", draw=sample.id) for sample in samples]
    assert [sample.draw for sample in samples] == [sample.id for sample in samples]
    for a, b in zip(arrays(method.anonymize(samples, seed=0)), arrays(method.anonymize(drawn, seed=0)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_harness_boxes_do_not_matter_to_a_method_with_its_own_detector(
    method: Method, samples: list[Sample]
) -> None:
    without = [dataclasses.replace(sample, boxes=None) for sample in samples]
    for a, b in zip(arrays(method.anonymize(samples, seed=0)), arrays(method.anonymize(without, seed=0)), strict=True):
        np.testing.assert_array_equal(a, b)
