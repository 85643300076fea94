"""DP-ATT, the thesis's proposed method: DeepPrivacy, then AttGAN restores age group and gender (3.1)."""

from __future__ import annotations

from dataclasses import dataclass

from unmask.bench.core.cards import MethodCard
from unmask.methods.gan.cascade import LICENCE, Cascade


@dataclass(kw_only=True, eq=False, repr=False)
class DpAtt(Cascade):
    """DeepPrivacy and AttGAN.

    Parameters: ``checkpoint`` ``shipped`` or the path of an AttGAN generator, published or compact; ``attributes`` what
    a published one's numbers mean, joined by semicolons; ``estimator`` an attribute instrument; ``deepprivacy`` and
    ``truncation`` as ``checkpoint`` and ``truncation`` of `methods.deepprivacy`; ``paste`` ``box`` or ``feather``;
    ``detector`` ``mtcnn`` or ``harness``.
    """

    facts = MethodCard(
        name="dp-att",
        version="1",
        description="Erases each face, invents another (DeepPrivacy) and repaints it to the age group and "
        "gender that were estimated on the original (AttGAN).",
        licence=LICENCE,
        source="thesis 3.1; AttGAN: He, Zuo, Kan, Shan, Chen, IEEE TIP 2019",
        limits="Age group and gender are kept on purpose, and so are hair and surroundings; all of them narrow "
        "down who it is. The shipped networks are compact ones, see their cards.",
    )
    weights = "dp-att"
