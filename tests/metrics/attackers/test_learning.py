"""Attackers find what a method kept, on people whom they never saw, and nothing where there is nothing."""

from __future__ import annotations

import numpy as np
import pytest

from tests.metrics.attackers import worlds
from tests.metrics.attackers.worlds import DIM, make_world, named, shuffled
from unmask.bench.core import registry
from unmask.bench.core.errors import SpecError, UnavailableError
from unmask.bench.core.evidence import KNOWN_PLACE, look_column
from unmask.bench.core.protocols import Attacker, Background
from unmask.bench.core.spec import parse_spec
from unmask.metrics.attackers.support import unit

CHANCE = 1 / worlds.TESTED_PEOPLE
NOTHING = 6 * CHANCE
"""What chance gives in a hundred trials with a probability of less than a thousandth."""
HEADS = ("semi-informed", "semi-informed:hidden=32,steps=300")
LEARNERS = ("mean-shift", "procrustes", "ridge", "whitening", "lda", *HEADS)


def chosen(background: Background, rows: np.ndarray) -> Background:
    """The background of some of its faces."""
    sides = (
        {name: values[rows] for name, values in side.items()} for side in (background.original, background.released)
    )
    return Background(*sides, background.identity[rows])


def attacker(text: str) -> Attacker:
    return registry.create_attacker(parse_spec(text))


@pytest.mark.parametrize(
    ("release", "spec"),
    [
        (worlds.rotated, "procrustes"),
        (worlds.rotated, "ridge"),
        (worlds.permuted, "procrustes"),
        (worlds.permuted, "ridge"),
        (worlds.shifted, "mean-shift"),
        (worlds.shifted, "procrustes"),
        (worlds.stretched, "ridge"),
        (worlds.rotated, "parrot"),
        (worlds.pseudonymous, "lda"),
        (worlds.pseudonymous, "whitening"),
        (worlds.pseudonymous, "semi-informed"),
        (worlds.pseudonymous, "semi-informed:hidden=32"),
    ],
)
def test_what_a_method_kept_is_found_where_the_ignorant_find_nothing(release: worlds.Release, spec: str) -> None:
    world = make_world(release)
    assert named(attacker("ignorant"), world) < 0.1
    assert named(attacker(spec), world) > 0.9


def test_each_finds_what_another_cannot() -> None:
    """A ridge map stretches, a rotation does not; discriminant directions are not those of the cosine."""
    stretched, pseudonymous = make_world(worlds.stretched), make_world(worlds.pseudonymous)
    assert named(attacker("procrustes"), stretched) < named(attacker("ridge"), stretched) - 0.1
    assert named(attacker("parrot"), pseudonymous) < 0.3
    assert named(attacker("mean-shift"), make_world(worlds.rotated)) < NOTHING


def test_an_average_of_strangers_is_known_to_those_who_have_the_method() -> None:
    world = make_world(worlds.averaged)
    assert named(attacker("ignorant"), world) < NOTHING
    for spec in ("parrot", "ridge", "whitening", "semi-informed"):
        assert named(attacker(spec), world) > 0.3, spec


@pytest.mark.parametrize("release", [worlds.unrelated, worlds.constant])
@pytest.mark.parametrize("spec", ["parrot", *LEARNERS])
def test_where_nothing_was_kept_only_chance_names(release: worlds.Release, spec: str) -> None:
    assert named(attacker(spec), make_world(release)) < NOTHING


@pytest.mark.parametrize(
    ("release", "spec"),
    [
        (worlds.rotated, "procrustes"),
        (worlds.rotated, "ridge"),
        (worlds.stretched, "ridge"),
    ],
)
def test_pairs_that_do_not_belong_together_teach_nothing(release: worlds.Release, spec: str) -> None:
    world = make_world(release)
    assert named(attacker(spec), world, shuffled(world.background)) < NOTHING


@pytest.mark.parametrize("spec", ["lda", "whitening", "semi-informed", "semi-informed:hidden=32"])
def test_faces_under_other_peoples_names_teach_nothing(spec: str) -> None:
    world = make_world(worlds.pseudonymous)
    assert named(attacker(spec), world, shuffled(world.background)) <= named(attacker("parrot"), world) + 0.1


def test_the_control_is_recognised_through_every_map() -> None:
    """Or an attack would seem to fail where its own map loses people."""
    world = make_world(lambda rows, person, rng: rows.astype(np.float64))
    for spec in ("ignorant", "parrot", *LEARNERS):
        assert named(attacker(spec), world) > 0.95, spec


def test_faces_that_were_not_found_are_left_out_of_what_is_learned() -> None:
    world = make_world(worlds.rotated)
    embedding = world.background.released["embedding"].copy()
    embedding[::3] = np.nan
    original = world.background.original["embedding"].copy()
    original[1::7] = np.nan
    half_read = Background({"embedding": original}, {"embedding": embedding}, world.background.identity)
    for spec in ("procrustes", "ridge"):
        assert named(attacker(spec), world, half_read) > 0.9


@pytest.mark.parametrize("spec", ["procrustes", "ridge", "lda", "semi-informed"])
def test_the_known_place_stands_in_where_no_face_is_found(spec: str) -> None:
    release = worlds.rotated if spec in ("procrustes", "ridge") else worlds.pseudonymous
    world = make_world(release)
    rows = world.background.released["embedding"]
    released = {"embedding": np.full_like(rows, np.nan), KNOWN_PLACE: rows}
    elsewhere = Background(world.background.original, released, world.background.identity)
    assert named(attacker(spec), world, elsewhere) > 0.9


def test_a_look_has_a_map_of_its_own_and_borrows_one_where_it_was_not_learned() -> None:
    world = make_world(worlds.rotated)
    look, other = look_column("mirrored"), look_column("turned-90")
    rows = world.background.released["embedding"]
    background = Background(
        world.background.original, {"embedding": rows, look: rows[:, ::-1]}, world.background.identity
    )
    for spec in ("procrustes", "ridge"):
        learner = attacker(spec)
        state = learner.fit(background, seed=0)
        seen = learner.read(
            state, {look: world.probes[:, ::-1], other: world.probes, "embedding": world.probes}, released=True
        )
        np.testing.assert_allclose(seen[look], seen["embedding"], atol=2e-3)
        np.testing.assert_array_equal(seen[other], seen["embedding"])


def test_a_rotation_is_found_to_the_last_digit_that_pairs_tell() -> None:
    """Against the rotation that made the outputs, with fewer pairs than needed for all of it."""
    world = make_world(worlds.rotated)
    everybody = world.background
    learner = attacker("procrustes")
    state = learner.fit(everybody, seed=0)
    np.testing.assert_allclose(state["embedding|map"], worlds.ROTATION.T, atol=1e-3)
    matrix = learner.fit(chosen(everybody, np.arange(36)), seed=0)["embedding|map"].astype(np.float64)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(DIM), atol=1e-5)


def test_draws_that_are_alike_do_not_pass_for_several_photos() -> None:
    """Else a head would seem to tell people apart from the first step on."""
    world = make_world(worlds.pseudonymous)
    twice = np.tile(np.arange(len(world.background.identity)), 2)
    for spec in ("lda", "semi-informed"):
        assert named(attacker(spec), world, chosen(world.background, twice)) > 0.9
        with pytest.raises(UnavailableError, match="released faces of two photos each"):
            attacker(spec).fit(chosen(world.background, twice[twice % 3 == 0]), seed=0)


@pytest.mark.parametrize("spec", LEARNERS)
@pytest.mark.parametrize(("people", "faces"), [(9, 27), (12, 12), (0, 0)])
def test_too_little_to_learn_from_is_refused_in_one_line(spec: str, people: int, faces: int) -> None:
    """Twelve faces of twelve people are no pairs of faces, and too few pairs of photo and output."""
    rows = unit(np.random.default_rng(0).normal(size=(faces, DIM)))
    names = np.array([f"p{k % people}" for k in range(faces)], np.str_)
    with pytest.raises(UnavailableError, match="at least 10 background people, 20 faces") as refusal:
        attacker(spec).fit(Background({"embedding": rows}, {"embedding": rows}, names), seed=0)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("spec", ["whitening", "lda", "semi-informed"])
def test_faces_without_a_name_are_not_one_person(spec: str) -> None:
    world = make_world(worlds.pseudonymous)
    nameless = Background(
        world.background.original, world.background.released, np.full(len(world.background.identity), "", np.str_)
    )
    with pytest.raises(UnavailableError, match="there are 0 faces of 0 people"):
        attacker(spec).fit(nameless, seed=0)


@pytest.mark.parametrize("spec", ["hidden=-1", "hidden=4097", "steps=49", "steps=60.5", "hidden=true"])
def test_a_head_is_not_trained_with_impossible_settings(spec: str) -> None:
    with pytest.raises(SpecError, match=r"is no whole number in"):
        attacker(f"semi-informed:{spec}")


def test_another_seed_is_another_training() -> None:
    world = make_world(worlds.pseudonymous)
    one, other = (attacker("semi-informed:steps=50").fit(world.background, seed=seed)["map"] for seed in (1, 2))
    assert not np.array_equal(one, other)
