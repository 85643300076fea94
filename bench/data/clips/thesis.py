"""The clips of UCF-Crime in which the thesis counted people (section 4.2, tables 4.1 and 4.2).

It used 50 clips of normal events and 50 of abuse, arrest, arson and assault, but each table as we have it prints twenty
rows above the sum over all fifty. The names drop what is alike: ``003.mp4`` is ``Normal_Videos_003_x264.mp4``.

The twenty normal ones are the first ten and the last ten of the data set's first fifty normal *test* clips, so the
thirty between them are known too (`NORMAL_BETWEEN`: deduced, not read). Of the abnormal ones the thirty between
Abuse010 and Assault004 cannot be told: the numbers of clips of each class are not stated.
"""

from __future__ import annotations

from typing import Final

NORMAL_PRINTED: Final = (
    *(3, 6, 10, 14, 15, 18, 19, 24, 25, 27),
    *(312, 317, 345, 352, 360, 365, 401, 417, 439, 452),
)
"""Table 4.1."""
NORMAL_BETWEEN: Final = (
    *(33, 34, 41, 42, 48, 50, 51, 56, 59, 63, 67, 70, 100, 129, 150),
    *(168, 175, 182, 189, 196, 203, 210, 217, 224, 246, 247, 248, 251, 289, 310),
)
"""The normal test clips between 27 and 312 (Temporal_Anomaly_Annotation.txt)."""
ANOMALY_PRINTED: Final = (*(("Abuse", k) for k in range(1, 11)), *(("Assault", k) for k in range(4, 14)))
"""Table 4.2."""

CLIPS: Final = (
    *(f"Testing_Normal_Videos_Anomaly/Normal_Videos_{k:03d}_x264.mp4" for k in sorted(NORMAL_PRINTED + NORMAL_BETWEEN)),
    *(f"{kind}/{kind}{k:03d}_x264.mp4" for kind, k in ANOMALY_PRINTED),
)
NOTES: Final = (
    "Of the thesis's 50 normal and 50 abnormal clips these are 50 and 20: each of its tables 4.1 and 4.2 prints 20 "
    "rows above a sum over 50.",
    "The 20 normal clips printed are the first and last ten of the first 50 normal test clips; the 30 between them "
    "are deduced from that.",
    "The 30 abnormal clips between Abuse010 and Assault004 (of abuse, arrest, arson and assault) are not named, so "
    "sums over abnormal clips cannot be compared with the thesis's.",
)
