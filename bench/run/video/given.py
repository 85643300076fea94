"""Clips that somebody else's anonymizer made: ``outputs:dir=FOLDER``, matched to the inputs by path or name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from bench.core.cards import MethodCard
from bench.core.errors import DataError, SpecError, VideoError
from bench.core.files import sha256_of
from bench.core.spec import parse_spec
from bench.core.types import Image, MethodFailure
from bench.data.clips import clip_files
from bench.data.video import VideoReader
from bench.run.plan import plain
from bench.store.schemas import PlannedMethod

NAME: Final = "outputs"
MISSING: Final = "no output clip"


def is_given(method: PlannedMethod) -> bool:
    """Whether the method's outputs are clips that lie in a folder already."""
    return bool(method.card["name"] == NAME)


def planned_given(method: PlannedMethod) -> PlannedMethod:
    """The plan's entry, fingerprinted over the clips in the folder rather than images."""
    folder = _folder(method)
    total, names = hashlib.sha256(), clip_files(folder)
    for name in names:
        total.update(f"{name}\0{sha256_of(folder / name)}\n".encode("utf-8", "surrogateescape"))
    if not names:
        raise SpecError(f"outputs: {folder} holds no clips; write outputs:dir=PATH with the anonymized clips")
    card = MethodCard(
        name=NAME,
        version="1",
        description="Clips anonymized elsewhere, read from a folder and matched by file name.",
        licence="as the clips",
        source="the folder given",
        params={"dir": folder.resolve().name, "clips": len(names), "fingerprint": total.hexdigest()},
        limits="Nothing is known of how the clips were made. Frames are matched by their order: a clip of another size "
        "or with fewer frames fails for the frames that it lacks. Its time is that of reading files.",
    )
    return method.model_copy(update={"card": plain(card)})


def given_frames(method: PlannedMethod, clip: str) -> Iterator[Image | MethodFailure]:
    """The output of each frame of ``clip`` in order, without end: a failure where there is none."""
    path = _match(_folder(method), clip)
    reason = MISSING
    if isinstance(path, Path):
        reason = "the output clip has fewer frames"
        try:
            reader = VideoReader(path)
            yield from (frame.image for frame in reader)
            reason = reader.damage or reason
        except VideoError as error:
            reason = f"the output clip cannot be read: {error.reason}"
    else:
        reason = path.reason
    while True:
        yield MethodFailure(reason)


def _folder(method: PlannedMethod) -> Path:
    return Path(str(parse_spec(method.spec, positional="dir").params["dir"])).expanduser()


def _match(folder: Path, clip: str) -> Path | MethodFailure:
    """The same path; then with another extension; then the bare name anywhere; never a guess between two."""
    try:
        names = [PurePosixPath(name) for name in clip_files(folder)]
    except DataError as error:
        return MethodFailure(str(error))
    wanted = PurePosixPath(clip)
    for found in (
        [name for name in names if name == wanted],
        [name for name in names if name.with_suffix("") == wanted.with_suffix("")],
        [name for name in names if name.stem == wanted.stem],
    ):
        if len(found) == 1:
            return folder / found[0]
        if found:
            return MethodFailure(f"{len(found)} output clips match: {', '.join(map(str, found[:3]))}")
    return MethodFailure(MISSING)
