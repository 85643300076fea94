"""Images and clips that somebody else's anonymizer made, matched to the inputs by file name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final

from unmask.bench.core.cards import MethodCard, Scalar
from unmask.bench.core.errors import ImageError, SpecError
from unmask.bench.core.images import IMAGE_EXTENSIONS, decode_image
from unmask.bench.core.names import output_pattern
from unmask.bench.core.split import PARTS, Part, read_split
from unmask.bench.core.types import Image, MethodFailure, Sample
from unmask.bench.core.video import CLIP_EXTENSIONS
from unmask.methods.shared.named_files import NamedFiles, fingerprint_of

_SHOWN_BY: Final[Mapping[str, Sequence[Part]]] = {
    "tested": ("tested", "enrolment"),
    "background": ("background",),
    "enrolment": ("enrolment", "tested"),
}
"""Part of a split -> those that show the same photos, itself first."""
_ENDINGS: Final = IMAGE_EXTENSIONS | CLIP_EXTENSIONS
_NOT_LISTED: Final = "the split does not list this photo; export it with the options of this run (--audit, --limit)"


class StoredOutputs:
    """Reads each output from a folder. What is missing, unreadable or of another size is a counted failure.

    Parameters: ``dir``, the folder; ``prefix`` and ``suffix``, what the anonymizer adds to a name before its extension
    (``a.jpg`` -> ``a_anonymized.jpg``: ``suffix=_anonymized``); files without them are no outputs then. Files answer
    inputs as `bench.core.names.NameMatcher` says: by relative path, else by bare name, with the same or another
    extension; what two files or two inputs share is a failure, never a guess. Images answer photos, clips answer clips.
    ``pattern``, in place of both: the whole path of an output below ``dir``, see `bench.core.names.OutputPattern`.

    For an audit: ``background``, the folder with what was made of background people's photos, and ``enrolment``, with
    what was made of the tested photos once more; they make up for a method that cannot be run. ``split``: the
    ``split.json`` of `unmask split export`, whose neutral names the files then have; ``part``: the part of it that
    ``dir`` answers for.
    """

    needs_names: ClassVar[bool] = True
    """It is told the photos' own names; other methods get neutral ones."""

    def __init__(
        self,
        *,
        dir: str,
        background: str = "",
        enrolment: str = "",
        split: str = "",
        part: str = "tested",
        prefix: Scalar = "",
        suffix: Scalar = "",
        pattern: Scalar = "",
    ) -> None:
        self._text, self._prefix, self._suffix = str(dir), str(prefix), str(suffix)
        self._pattern = output_pattern({"prefix": prefix, "suffix": suffix, "pattern": pattern}, _ENDINGS)
        folders = {"dir": dir, "background": background, "enrolment": enrolment}
        self._folders = {name: _folder(name, text) for name, text in folders.items() if name == "dir" or text != ""}
        self._dir = self._folders["dir"]
        if part not in PARTS:
            raise SpecError(f"outputs: part={part} is none of a split's: {', '.join(PARTS)}; leave it out")
        self._names, self._part = _names_of(split, part), part

    @classmethod
    def params_for(cls, params: Mapping[str, Scalar], part: Part) -> dict[str, Scalar]:
        """The parameters under which ``dir`` is the folder that answers for a part of an audit's photos."""
        own = {name: value for name, value in params.items() if name not in ("background", "enrolment")}
        return {**own, "dir": params["dir" if part == "tested" else part], "part": part}

    @property
    def card(self) -> MethodCard:
        return MethodCard(
            name="outputs",
            version="7",
            description="Images and clips anonymized elsewhere, read from a folder and matched by file name.",
            licence="as the images and clips",
            source="the folder given",
            # No path: the same files are the same plan wherever they lie, and names of folders can be people's.
            params={
                "dir": "(a folder)",
                "split": "" if self._names is None else "(a file)",
                "part": self._part,
                "prefix": self._prefix,
                "suffix": self._suffix,
                "pattern": "" if self._pattern is None else self._pattern.text,
                "images": len(self._images.matcher.names),
                "clips": len(self._clips.matcher.names),
                "fingerprint": fingerprint_of([self._images, self._clips]),
                **self._others,
            },
            limits="Nothing is known of how they were made. Its time is that of reading files. Files are matched by "
            "relative path or, in a folder laid out otherwise, by bare name: a file that two inputs of one data set "
            "would share is an error for both. One that two data sets would share cannot be told. Where both clips "
            "have as many frames, frame is compared with frame, else each frame of the input with what the output "
            "shows at its time; a clip of another length is a failure. The sound of clips is not listened to.",
        )

    def load(self, files: Mapping[str, Path], device: str) -> None:
        """Nothing to load."""

    def expect(self, ids: Sequence[str], *, clips: bool = False) -> None:
        """Learns which files two inputs would share; without this call they are used twice."""
        (self._clips if clips else self._images).expect(self._called(ids, clips))

    def mismatch(self, ids: Sequence[str], *, clips: bool = False) -> str:
        """What is wrong with the folder where it answers for none of the inputs, and what to write; else ''."""
        called = self._called(ids, clips)
        if not called:
            return f"outputs: the split lists none of {len(ids)} inputs; name the one that was exported from these data"
        return (self._clips if clips else self._images).mismatch(called, self._text)

    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Sequence[Image | MethodFailure]:
        """The stored images, or why there is none."""
        places = [self._place(sample.id) for sample in batch]
        return [place if isinstance(place, MethodFailure) else read_output(self._dir / place) for place in places]

    def clip(self, clip: str) -> Path | MethodFailure:
        """The file that answers a clip, or why there is none. Names are looked up among the folder's own, so none can
        reach outside it."""
        place = self._clips.place(clip)
        return place if isinstance(place, MethodFailure) else self._dir / place

    @cached_property
    def _images(self) -> NamedFiles:
        return self._files(self._dir)

    @cached_property
    def _clips(self) -> NamedFiles:
        return NamedFiles(self._dir, CLIP_EXTENSIONS, "clip", self._prefix, self._suffix, self._pattern)

    def _files(self, folder: Path) -> NamedFiles:
        return NamedFiles(folder, IMAGE_EXTENSIONS, "image", self._prefix, self._suffix, self._pattern)

    def _called(self, ids: Sequence[str], clips: bool = False) -> tuple[str, ...]:
        """What the files that answer inputs are called; inputs that a split does not list are left out."""
        return tuple(ids) if clips else tuple(name for each in ids if (name := self._name(each)))

    def _name(self, sample: str) -> str:
        """What the file that answers a photo is called; '' = the split does not list the photo."""
        if self._names is None:
            return sample
        names = self._names.get(sample, ())
        return next((name for name in names if self._images.matcher.candidates(name)), next(iter(names), ""))

    def _place(self, sample: str) -> str | MethodFailure:
        return self._images.place(name) if (name := self._name(sample)) else MethodFailure(_NOT_LISTED)

    @cached_property
    def _others(self) -> dict[str, Scalar]:
        """What the card says of the folders of an audit."""
        params: dict[str, Scalar] = {"background": "", "enrolment": ""}
        for name in (name for name in tuple(params) if name in self._folders):
            images = self._files(self._folders[name])
            params |= {name: "(a folder)", f"{name}_images": len(images.matcher.names)}
            params[f"{name}_fingerprint"] = fingerprint_of([images])
        return params


def _folder(name: str, text: object) -> Path:
    if not isinstance(text, str):
        raise SpecError(f"outputs: {name}={text} must be a folder; write outputs:{name}=./{text}")
    folder = Path(text).expanduser()
    if not text or not folder.is_dir():
        raise SpecError(f"outputs: there is no folder {text!r}; write outputs:{name}=PATH with the anonymized images")
    return folder


def _names_of(split: str, part: str) -> Mapping[str, Sequence[str]] | None:
    """Id of a photo -> the neutral names of the files that show it, those of ``part`` first; ``None`` without a split.

    Tested photos have a name in the enrolment too: either shows the same photo.
    """
    if split == "":
        return None
    parts = read_split(Path(str(split)).expanduser()).names
    tables = [parts[each] for each in _SHOWN_BY[part]]
    return {sample: [names[sample] for names in tables if sample in names] for sample in {**tables[0], **tables[-1]}}


def read_output(path: Path) -> Image | MethodFailure:
    """The image, read by the rules that inputs are read by; upright it must have its input's size.

    But for one rule: an output whose file holds more than the picture (colours under transparent pixels, further frames
    or pages, a thumbnail) is a failure, because the original face may still be there.
    """
    try:
        return decode_image(path.read_bytes(), path.name, hidden="refused")
    except (OSError, ImageError) as error:
        reason = error.reason if isinstance(error, ImageError) else error.strerror or "unreadable"
        return MethodFailure(f"output cannot be read: {reason}")
