"""DP-ATT-S: as DP-ATT, and every face gets the same skin tone (thesis 3.1, 4.5)."""

from __future__ import annotations

from dataclasses import dataclass

from unmask.bench.core.cards import MethodCard
from unmask.methods.gan.attributes import THESIS_SKIN, parse_tone
from unmask.methods.gan.cascade import LICENCE, Cascade


@dataclass(kw_only=True, eq=False, repr=False)
class DpAttS(Cascade):
    """DeepPrivacy and AttGAN with skin tone.

    Parameters: ``tone`` ``dark`` (111, 55, 55), ``light`` (150, 150, 150), ``beige`` (227, 208, 202) or ``R-G-B``; a
    published network knows dark and light only and gets the nearer one; ``checkpoint`` ``shipped-l1`` was
    trained with L1 alone as its reconstruction loss (table 4.27); the others as `methods.dp_att`.
    """

    facts = MethodCard(
        name="dp-att-s",
        version="1",
        description="Erases each face, invents another (DeepPrivacy) and repaints it to the age group and "
        "gender that were estimated on the original and to one given skin tone (AttGAN).",
        licence=LICENCE,
        source="thesis 3.1, 4.5; AttGAN: He, Zuo, Kan, Shan, Chen, IEEE TIP 2019",
        limits="Only the face's box changes its tone: neck, ears and hands keep theirs and give it away. The "
        "light tone of the thesis is a neutral grey, which no skin estimator takes for skin: networks of ours "
        "are told 186, 146, 136 instead. What such a network leaves short of its tone, a curve of colours "
        "makes up for. The shipped networks are compact ones, see their cards.",
    )
    weights = "dp-att-s"

    tone: str = "light"
    attributes: str = THESIS_SKIN

    def __post_init__(self) -> None:
        super().__post_init__()
        self._tone = parse_tone(self.tone, self.facts.name)
