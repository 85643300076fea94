"""Images and clips that somebody else's anonymizer made, matched to the inputs by file name."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import ClassVar, Final

from unmask.bench.core.cards import MethodCard, Scalar
from unmask.bench.core.errors import ImageError, SpecError
from unmask.bench.core.files import is_hidden, sha256_of
from unmask.bench.core.images import IMAGE_EXTENSIONS, decode_image
from unmask.bench.core.names import NameMatcher, bare_name, folded
from unmask.bench.core.types import Image, MethodFailure, Sample
from unmask.bench.core.video import CLIP_EXTENSIONS

_LOOKED_AT: Final = 50
"""Files, at most, from whose names an unknown prefix or suffix is guessed."""


class StoredOutputs:
    """Reads each output from a folder. What is missing, unreadable or of another size is a counted failure.

    Parameters: ``dir``, the folder; ``prefix`` and ``suffix``, what the anonymizer adds to a name before its extension
    (``a.jpg`` -> ``a_anonymized.jpg``: ``suffix=_anonymized``); files without them are no outputs then. Files answer
    inputs as `bench.core.names.NameMatcher` says: by relative path, else by bare name, with the same or another
    extension; what two files or two inputs share is a failure, never a guess. Images answer photos, clips answer clips.
    """

    needs_names: ClassVar[bool] = True
    """It is told the photos' own names; other methods get neutral ones."""

    def __init__(self, *, dir: str, prefix: Scalar = "", suffix: Scalar = "") -> None:
        if not isinstance(dir, str):
            raise SpecError(f"outputs: dir={dir} must be a folder; write outputs:dir=./{dir}")
        self._text, self._prefix, self._suffix = dir, str(prefix), str(suffix)
        self._dir = Path(dir).expanduser()
        if not dir or not self._dir.is_dir():
            raise SpecError(f"outputs: there is no folder {dir!r}; write outputs:dir=PATH with the anonymized images")

    @property
    def card(self) -> MethodCard:
        return MethodCard(
            name="outputs",
            version="6",
            description="Images and clips anonymized elsewhere, read from a folder and matched by file name.",
            licence="as the images and clips",
            source="the folder given",
            # No path: the same files are the same plan wherever they lie, and names of folders can be people's.
            params={
                "dir": "(a folder)",
                "prefix": self._prefix,
                "suffix": self._suffix,
                "images": len(self._images.matcher.names),
                "clips": len(self._clips.matcher.names),
                "fingerprint": self._fingerprint,
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
        (self._clips if clips else self._images).expect(tuple(ids))

    def mismatch(self, ids: Sequence[str], *, clips: bool = False) -> str:
        """What is wrong with the folder where it answers for none of the inputs, and what to write; else ''."""
        return (self._clips if clips else self._images).mismatch(tuple(ids), self._text)

    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Sequence[Image | MethodFailure]:
        """The stored images, or why there is none."""
        places = [self._images.place(sample.id) for sample in batch]
        return [place if isinstance(place, MethodFailure) else read_output(self._dir / place) for place in places]

    def clip(self, clip: str) -> Path | MethodFailure:
        """The file that answers a clip, or why there is none. Names are looked up among the folder's own, so none can
        reach outside it."""
        place = self._clips.place(clip)
        return place if isinstance(place, MethodFailure) else self._dir / place

    @cached_property
    def _images(self) -> _Files:
        return _Files(self._dir, IMAGE_EXTENSIONS, "image", self._prefix, self._suffix)

    @cached_property
    def _clips(self) -> _Files:
        return _Files(self._dir, CLIP_EXTENSIONS, "clip", self._prefix, self._suffix)

    @cached_property
    def _fingerprint(self) -> str:
        """sha256 over names and contents: a changed folder is a changed plan, a copied or moved one is not."""
        total = hashlib.sha256()
        for file, name in [*self._images.matcher.names.items(), *self._clips.matcher.names.items()]:
            contents = ""
            with suppress(OSError):  # what cannot be read becomes a counted row
                contents = sha256_of(self._dir / file)
            total.update(f"{name}\0{contents}\n".encode("utf-8", "surrogateescape"))
        return total.hexdigest()


class _Files:
    """The images or the clips of a folder, matched to inputs; relative paths with forward slashes."""

    def __init__(self, folder: Path, extensions: frozenset[str], kind: str, prefix: str, suffix: str) -> None:
        self._dir, self._extensions, self._kind = folder, extensions, kind
        self._file = "output file" if kind == "image" else "output clip"
        self._expected: tuple[str, ...] = ()
        self._guess: tuple[tuple[str, ...], tuple[str, str]] | None = None
        self._files: list[str] = []
        self._faults: dict[str, str] = {}
        """File -> why it is not read."""
        self._links: set[str] = set()
        """Linked folders, which are not followed."""
        self._list()
        self.matcher, self._unusable = (
            NameMatcher(names, extensions, self._file, prefix=prefix, suffix=suffix)
            for names in (self._files, self._faults)
        )

    def expect(self, ids: tuple[str, ...]) -> None:
        if self._expected != ids:
            self.matcher.expect(ids)
            self._expected = ids

    def place(self, name: str) -> str | MethodFailure:
        """The file that answers an input, or why there is none."""
        file, reason = self.matcher.match(name)
        return file or MethodFailure(reason if self.matcher.candidates(name) else self._absence(name))

    def mismatch(self, ids: tuple[str, ...], folder: str) -> str:
        if any(self.matcher.candidates(name) for name in ids):
            return ""
        inputs = "inputs" if self._kind == "image" else "clips"
        none = f"outputs: none of {len(ids)} {inputs} has an output in {folder!r}"
        name = next(iter([*self.matcher.names, *self.matcher.others]), "")
        if not name and self._faults:
            file, reason = next(iter(self._faults.items()))
            return f"{none}, none of whose {self._kind}s can be read: {file} is {reason}; put them there themselves"
        if not name:
            return f"{none}, which holds no {self._kind}s; write outputs:dir=PATH with the anonymized {self._kind}s"
        added = _spelled(*self._affixes(ids))
        how = f"write outputs:dir={folder},{added}" if added else "give outputs the names of their inputs"
        return f"{none}; the folder holds e.g. {name}; {how}"

    def _absence(self, name: str) -> str:
        unusable = self._unusable.candidates(name)
        if unusable:
            return f"output cannot be read: {self._faults[unusable[0]]}"
        parts = PurePosixPath(name).parts[:-1]
        if any(PurePosixPath(link).name in parts for link in self._links):
            return f"no {self._file}; its folder is a link and was not followed"
        prefix, suffix = self._affixes(self._expected or (name,))
        if (prefix or suffix) and f"{prefix}{self._stem(name)}{suffix}" in self._stems:
            return f"no {self._file}; with {_spelled(prefix, suffix)} there is one"
        return f"no {self._file}"

    def _affixes(self, ids: tuple[str, ...]) -> tuple[str, str]:
        """The prefix and suffix that most of the files add to the name of an input; ('', '') = none."""
        if self._guess is None or self._guess[0] != ids:
            stems = {folded(self._stem(name)) for name in ids}
            pairs: Counter[tuple[str, str]] = Counter()
            for stem in sorted(self._stems)[:: max(len(self._stems) // _LOOKED_AT, 1)]:
                spans = [(i, j) for i in range(len(stem)) for j in range(i + 1, len(stem) + 1)]
                lengths = [(j - i, i, j) for i, j in spans if folded(stem[i:j]) in stems]
                if lengths:
                    _, i, j = max(lengths)
                    pairs[stem[:i], stem[j:]] += 1
            pairs.pop(("", ""), None)
            self._guess = ids, (pairs.most_common(1)[0][0] if pairs else ("", ""))
        return self._guess[1]

    @cached_property
    def _stems(self) -> frozenset[str]:
        """Bare names of all files, as they are called."""
        return frozenset(map(self._stem, self._files))

    def _stem(self, name: str) -> str:
        return bare_name(PurePosixPath(name).name, self._extensions)

    def _list(self) -> None:
        inside = self._dir.resolve()
        for folder, subfolders, names in os.walk(self._dir, onerror=_refuse):
            here = Path(folder)
            subfolders[:] = sorted(name for name in subfolders if not is_hidden(name))
            links = (here / name for name in subfolders if (here / name).is_symlink())
            self._links |= {link.relative_to(self._dir).as_posix() for link in links}
            for path in (here / name for name in sorted(names) if not is_hidden(name)):
                if path.suffix.lower() not in self._extensions:
                    continue
                name = path.relative_to(self._dir).as_posix()
                if path.is_symlink() and not path.resolve().is_relative_to(inside):
                    self._faults[name] = "a link that leads outside the folder"
                elif not path.is_file():
                    self._faults[name] = "a link that leads nowhere" if path.is_symlink() else "not a regular file"
                else:
                    self._files.append(name)


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


def _refuse(error: OSError) -> None:
    raise SpecError(f"outputs: {str(error.filename)!r} cannot be listed ({error.strerror}); check its permissions")


def _spelled(prefix: str, suffix: str) -> str:
    """As a SPEC has it: ``suffix=_anonymized``."""
    return ",".join(f"{name}={text}" for name, text in (("prefix", prefix), ("suffix", suffix)) if text)
