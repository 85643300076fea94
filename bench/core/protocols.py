"""What a method, an instrument and an attacker must be; of a metric `bench.core.values` tells. Plug-ins need what
`unmask` exports, nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Protocol, Self, runtime_checkable

from unmask.bench.core.cards import AttackerCard, InstrumentCard, MethodCard
from unmask.bench.core.evidence import Background as Background
from unmask.bench.core.evidence import Columns as Columns
from unmask.bench.core.types import Box, Detection, FacePair, FaceView, Image, MethodFailure, RegionPair, Sample


@runtime_checkable
class Method(Protocol):
    """An anonymizer. Constructed by the registry as ``cls(**params)``; parameters are keyword-only scalars.

    A method owns its face detector unless its ``detector`` parameter says ``harness``. One that cannot answer for an
    input without knowing the others also has ``expect(ids: Sequence[str])``: it is called before the inputs of a data
    set come, with the ids of all of them.

    The ids are made of the photos' content and tell nothing else; two equal photos share one. A method whose class has
    ``needs_names = True`` matches files by name and gets the photos' own names instead.

    An instance that draws nothing by chance, so that every seed gives the same images, may say so with ``by_chance =
    False``: its draws need no averaging.

    A class that starts programs may also have ``located(params)``: parameters as they are on this machine, which plans
    leave out; ``named_files(params)``: name -> file that decides what it does; ``draws_by_sample = False`` where it
    cannot draw by `Sample.draw`; and, on its instances, ``memory_mib``: the most memory that those programs had. One
    whose card has the parameter ``frames`` and says False there has ``anonymize_clip(path, *, seed)`` for clips: it
    gives the path of a new clip below the folder for temporary files, or a `MethodFailure`.
    """

    @property
    def card(self) -> MethodCard: ...

    def load(self, files: Mapping[str, Path], device: str) -> None:
        """Gets ready to run (loads networks). Called once per process, before `anonymize`."""

    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Sequence[Image | MethodFailure]:
        """One image per sample, in order, each of its sample's exact size (H, W, 3 uint8 RGB).

        Must not change its inputs. Must not depend on what else is in the batch or came before, but for earlier frames
        of a sample's own ``sequence``: draw randomness from `bench.core.seeds.sample_rng` by the sample's ``draw``. A
        face it does not find stays as it is (the harness counts it as missed).
        """


class Instrument(Protocol):
    """Anything with pretrained weights that measures; see the four kinds below.

    One whose weights are no pinned files but the user's own also has a classmethod ``settled_card()``: its card with
    the parameter `bench.core.cards.OWN_WEIGHTS`, so that another file makes another plan.

    Cards are read where nothing is measured (lists, plans), so the module with the card imports no package that takes
    long, torch first of all: ``open`` does. Those that ship with unmask name such packages in their class's ``imports``
    (a tuple of module names): without one the instrument is unavailable, and workers are forked from a process that has
    imported them.
    """

    card: ClassVar[InstrumentCard]

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        """``files``: `PackageFile.key` -> verified local path. ``device``: ``cpu``, ``cuda``, ``cuda:1``..."""


class Detector(Instrument, Protocol):
    """Role ``detector``."""

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """All faces of each image, best first."""


class FaceInstrument(Instrument, Protocol):
    """Roles ``recogniser`` ({"embedding": (N, D), L2-normalised}), ``attributes`` ({"age": (N,) years,
    "p_female": (N,) 0..1}), ``skin`` ({"r", "g", "b": (N,) 0..255, "ita": (N,) degrees}) and ``photometry``
    ({"statistics": (N, D), "around": (N, E)} of a face and of what surrounds it, on releases at the original's
    place)."""

    def read(self, faces: Sequence[FaceView]) -> Columns: ...


class Recogniser(FaceInstrument, Protocol):
    """A recogniser whose card has ``looks``: it is also asked about the looks of a face."""

    def read_looks(self, faces: Sequence[FaceView]) -> Columns:
        """{`look_column`: (N, D), L2-normalised} for each of `bench.core.evidence.LOOKS`, made of the face's crop."""


class ActivationReader(Recogniser, Protocol):
    """A recogniser whose last block can be trained anew, see `bench.core.views.ACTIVATIONS`."""

    def read_activations(self, faces: Sequence[FaceView]) -> Columns:
        """{"embedding": (N, D) float16}: what its last block is given, flat; NaN rows for faces that cannot be cut."""


class ImageInstrument(Instrument, Protocol):
    """Role ``features``: {"features": (N, D)} of whole images or crops, for set metrics such as FID."""

    def read(self, images: Sequence[Image]) -> Columns: ...


class PairInstrument(Instrument, Protocol):
    """Role ``pair``: full-reference comparisons of regions, one column a metric variant, named ``metric|variant``."""

    def compare(self, pairs: Sequence[RegionPair]) -> Columns: ...


class Attacker(Protocol):
    """Somebody who wants to know who is behind a released face.

    One whose fits take long may also have ``refit(background, *, seed, settled)``: `fit` without what ``settled``, the
    state of the fit that attacks, has settled already, such as the number of steps. It is called for the fits that only
    check that one.

    Reads a recogniser's readings anew, so that every metric of recognisers can be asked of what comes out. Constructed
    by the registry as ``cls(**params)``.
    """

    @property
    def card(self) -> AttackerCard: ...

    def fit(self, background: Background, *, seed: int) -> Columns:
        """What it learns of one recogniser, to be stored: name -> array; {} = nothing. It may depend on its arguments
        alone. No person of ``background`` is tested. Raises `UnavailableError` where that is too little to learn from,
        never gives back a map that changes nothing in its place."""

    def read(self, state: Columns, readings: Columns, *, released: bool) -> Columns:
        """The readings (name -> (N, D) float32, L2-normalised) as it sees them, under the same names: (N, E) each, E
        the same for originals and released faces. Rows are NaN where they were, and nowhere else.

        ``state``: what `fit` returned for this recogniser, or `UnavailableError` is raised; ``released``: whether they
        are of released faces, else of originals.
        """


class Restorer(Attacker, Protocol):
    """An attacker who works from a released photo back towards the original, for a recogniser to read. Its card's view
    is `bench.core.views.RESTORED`.

    It gets and returns whole photos, since recognisers read the release at the original's landmarks: what is restored
    must lie where it was. Each face is restored by itself; only pixels about its box may change, unless the method
    changed the whole photo.
    """

    def learn(self, pairs: Sequence[FacePair], *, seed: int, folder: Path | None = None) -> Columns:
        """What it learns of a method, to be stored: name -> array. Raises `DataError` where there are too few pairs to
        learn from, `UnavailableError` where nothing that it tries shows more of people than the release does.

        ``folder``: where it may keep what an interrupted training goes on from.
        """

    def choices(self, state: Columns) -> int:
        """How many restorations it offers, the most promising first; of what each shows the most alike counts."""

    def restore(self, state: Columns, image: Image, box: Box, choice: int = 0) -> Image:
        """A new (H, W, 3) image of the size of the released ``image``, its face in ``box`` restored."""
