"""StarGAN alone, on the face as it is: the thesis's first approach, for comparison (2.3.1)."""

from __future__ import annotations

from dataclasses import dataclass

from unmask.bench.core.cards import MethodCard
from unmask.methods.gan.cascade import LICENCE, AttributeMethod


@dataclass(kw_only=True, eq=False, repr=False)
class StarGan(AttributeMethod):
    """StarGAN told the face's own age group and gender, so that it repaints the face without erasing it first.

    Parameters: as `methods.dp_att`, without ``deepprivacy`` and ``truncation``.
    """

    facts = MethodCard(
        name="stargan",
        version="1",
        description="Repaints each face to its own estimated age group and gender without erasing it first. "
        "Not an anonymizer worth the name: shown to say what erasing is for.",
        licence=LICENCE,
        source="Choi, Choi, Kim, Ha, Kim, Choo: StarGAN, CVPR 2018; thesis 2.3.1",
        limits="The network sees the face and mostly keeps it. The shipped weights are weak: trained for a "
        "hundredth of what its authors did, they leave faces blurred and checkered.",
    )
    weights = "stargan"
