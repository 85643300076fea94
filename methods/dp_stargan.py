"""DeepPrivacy, then StarGAN instead of AttGAN: the cascade that the thesis compared with and dropped (4.4.1)."""

from __future__ import annotations

from dataclasses import dataclass

from unmask.bench.core.cards import MethodCard
from unmask.methods.gan.cascade import LICENCE, Cascade


@dataclass(kw_only=True, eq=False, repr=False)
class DpStarGan(Cascade):
    """DeepPrivacy and StarGAN v1.

    Parameters: as `methods.dp_att`, ``checkpoint`` being a StarGAN v1 generator.
    """

    facts = MethodCard(
        name="dp-stargan",
        version="1",
        description="Erases each face, invents another (DeepPrivacy) and repaints it to the age group and "
        "gender that were estimated on the original (StarGAN v1).",
        licence=LICENCE,
        source="thesis 4.4.1; StarGAN: Choi, Choi, Kim, Ha, Kim, Choo, CVPR 2018",
        limits="Age group and gender are kept on purpose, and so are hair and surroundings; all of them narrow "
        "down who it is. The shipped networks are compact ones, see their cards; StarGAN's is weak: trained "
        "for a hundredth of what its authors did, it leaves faces blurred and checkered.",
    )
    weights = "stargan"
