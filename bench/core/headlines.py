"""The few numbers that stand for a method: the leaderboard's columns, over which its tests are corrected together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

WORST: Final = "worst"
"""The instrument name of the strongest attack."""

HEADLINE_PRIVACY: Final = "deid_rate@1e-3"
HEADLINE_UTILITY: Final = "gender_estimated_correct"

HEADLINES: Final[tuple[tuple[str, ...], ...]] = (
    (HEADLINE_PRIVACY,),
    # Where nobody has two photos there is no cross-photo search; the weaker same-photo question stands in, named so.
    ("rank1_cross_photo", "rank1_same_photo"),
    ("eer_cross_photo", "eer"),
    (HEADLINE_UTILITY,),
    ("age_group_estimated_correct",),
    ("ita_change", "skin_mse"),
    ("ssim",),
    ("lpips_alex",),
    # Not FID: below 2,048 images it is biased by an amount that differs from method to method.
    ("kid",),
    ("ms_per_face",),
)
"""One column each: the first of its metrics that was measured."""

TRACKER: Final = "tracker"
"""Stands for the run's first tracker."""
RECOGNISER: Final = "recogniser"
"""Stands for the run's default recogniser."""
JUDGE: Final = "yunet"

CLIP_HEADLINES: Final[tuple[tuple[str, str], ...]] = (
    ("people", TRACKER),
    ("people_difference", TRACKER),
    ("hota", TRACKER),
    ("idf1", TRACKER),
    ("mota", TRACKER),
    ("hota_original", TRACKER),
    ("idf1_original", TRACKER),
    ("tracks_exposed", WORST),
    ("longest_exposure", WORST),
    ("frames_missed", JUDGE),
    ("tracks_missed", JUDGE),
    ("identity_kept", RECOGNISER),
    ("identity_shared", RECOGNISER),
    ("flicker", "frames"),
    ("landmark_correlation", JUDGE),
)
"""The columns of the leaderboard of clips: metric and instrument; region ``image``."""

Key = tuple[str, str, str]
"""Metric, instrument, region."""

_REGIONS = ("face", "image", "background")


def headline_keys(measured: Sequence[Key], valued: Collection[Key], instruments: Sequence[str]) -> list[Key]:
    """One key for each of `HEADLINES` that is among ``measured``, in their order.

    ``valued``: those for which any method has a number. ``instruments``: the default ones; ``worst`` goes before them.
    """
    keys = []
    for metrics in HEADLINES:
        columns = [key for name in metrics if (key := speaking_key(measured, name, instruments)) is not None]
        keys += [next((key for key in columns if key in valued), columns[0])] if columns else []
    return keys


def clip_headline_keys(measured: Sequence[Key], valued: Collection[Key], *, tracker: str, recogniser: str) -> list[Key]:
    """Those of `CLIP_HEADLINES` that are ``measured`` and ``valued``, by the run's own tracker and recogniser."""
    names = {TRACKER: tracker, RECOGNISER: recogniser}
    keys = [(metric, names.get(instrument, instrument), "image") for metric, instrument in CLIP_HEADLINES]
    return [key for key in keys if key in measured and key in valued]


def speaking_key(measured: Sequence[Key], metric: str, instruments: Sequence[str]) -> Key | None:
    """The key that speaks for a metric: its worst attack, else the first default instrument, on the face."""
    wanted = [WORST, *instruments]

    def preference(key: Key) -> tuple[int, int]:
        return wanted.index(key[1]) if key[1] in wanted else len(wanted), _REGIONS.index(key[2])

    return min((key for key in measured if key[0] == metric), key=preference, default=None)
