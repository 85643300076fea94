"""The learned methods of the thesis: DeepPrivacy, DP-ATT, DP-ATT-S, and those they were compared with; of
Croft's and Chen et al.'s, which it only cites (2.2.5), compact versions of our own.

All are `methods.gan.runtime.cascade.Cascade`, whose fields say what each parameter means. Their networks are the
compact ones that come with unmask, or published checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

import numpy as np

from unmask.bench.core.cards import MethodCard
from unmask.bench.core.types import Floats32
from unmask.methods.gan.runtime.attributes import THESIS_SKIN
from unmask.methods.gan.runtime.cascade import CROFT, DCGAN, IMPORTS, LICENCE, Cascade
from unmask.methods.shared.settings import SHIPPED, Within

KEPT = (
    "Age group and gender are kept on purpose, and so are hair and surroundings; all of them narrow down who it is. "
    "The shipped networks are compact ones, see their cards"
)
_CARD = partial(MethodCard, version="2", licence=LICENCE, imports=IMPORTS)


@dataclass(kw_only=True, eq=False, repr=False)
class DeepPrivacy(Cascade):
    """Erases each face and invents one that fits its surroundings.

    Parameters: ``checkpoint`` of a DeepPrivacy generator (multi-scale, V1 or compact); ``truncation`` 0..3; ``paste``
    ``feather`` or, as published, ``box``; ``steady`` true or false, as published; ``detector``.
    """

    facts = _CARD(
        name="deepprivacy",
        version="5",
        description="Erases each face's box; a network that never sees the face invents one that fits its "
        "surroundings. The shipped network gets the face's place, size and turn; a published one its key points.",
        source="Hukkelas, Mester, Lindseth: DeepPrivacy, ISVC 2019, arXiv:1909.04538; thesis 2.3.5",
        limits="Hair, ears and everything else outside the box stay as they are and can identify. A published "
        "network keeps the proportions of eyes, nose and mouth; the shipped one, a compact one (128 px, see its "
        "card), gives everybody the usual ones, and so loses which way a head is turned.",
    )
    attributes: str = field(default="", init=False)
    estimator: str = field(default="", init=False)
    deepprivacy: str = field(default="", init=False)
    tone: str = field(default="", init=False)


@dataclass(kw_only=True, eq=False, repr=False)
class DpAtt(Cascade):
    """The thesis's proposed method: DeepPrivacy, then AttGAN restores age group and gender.

    Parameters: ``checkpoint`` of an AttGAN generator, published or compact; ``attributes``; ``estimator``;
    ``deepprivacy``; ``truncation`` 0..3; ``paste``; ``steady``; ``detector``.
    """

    facts = _CARD(
        name="dp-att",
        version="4",
        description="Erases each face, invents another (DeepPrivacy) and repaints it to the age group and "
        "gender that were estimated on the original (AttGAN).",
        source="thesis 3.1; AttGAN: He, Zuo, Kan, Shan, Chen, IEEE TIP 2019",
        limits=f"{KEPT}.",
    )
    editor = "dp-att"
    tone: str = field(default="", init=False)


@dataclass(kw_only=True, eq=False, repr=False)
class DpAttS(Cascade):
    """As DP-ATT, and every face gets the same skin tone.

    Parameters: ``tone`` ``dark`` (111, 55, 55), ``light`` (150, 150, 150), ``beige`` (227, 208, 202) or ``R-G-B``; a
    published network has dark and light only and gets the nearer one; ``checkpoint`` ``shipped-l1`` was
    trained with L1 alone as its reconstruction loss (table 4.27); the others as `DpAtt`.
    """

    facts = _CARD(
        name="dp-att-s",
        version="4",
        description="Erases each face, invents another (DeepPrivacy) and repaints it to the age group and "
        "gender that were estimated on the original and to one given skin tone (AttGAN).",
        source="thesis 3.1, 4.5; AttGAN: He, Zuo, Kan, Shan, Chen, IEEE TIP 2019",
        limits="Only the face changes its tone: neck, ears and hands keep theirs and give it away. The "
        "light tone of the thesis is a neutral grey, which no skin estimator takes for skin: networks of ours "
        "get 186, 146, 136 instead. What such a network leaves short of its tone, a curve of colours "
        "makes up for. The shipped networks are compact ones, see their cards.",
    )
    editor = "dp-att-s"
    attributes: str = THESIS_SKIN
    tone: str = "light"


@dataclass(kw_only=True, eq=False, repr=False)
class DpStarGan(Cascade):
    """DeepPrivacy, then StarGAN v1 instead of AttGAN: the cascade that the thesis compared with and dropped (4.4.1).

    Parameters: as `DpAtt`, ``checkpoint`` being a StarGAN v1 generator.
    """

    facts = _CARD(
        name="dp-stargan",
        version="4",
        description="Erases each face, invents another (DeepPrivacy) and repaints it to the age group and "
        "gender that were estimated on the original (StarGAN v1).",
        source="thesis 4.4.1; StarGAN: Choi, Choi, Kim, Ha, Kim, Choo, CVPR 2018",
        limits=f"{KEPT}. StarGAN's is the rule that the shipped one was trained by; its architecture is that of the "
        "compact AttGAN, and it began as one.",
    )
    editor = "stargan"
    tone: str = field(default="", init=False)


@dataclass(kw_only=True, eq=False, repr=False)
class AttGan(Cascade):
    """AttGAN alone, with the face's own age group and gender: the thesis's first approach, for comparison (2.3.1).

    Parameters: as `DpAtt`, without ``deepprivacy`` and ``truncation``.
    """

    facts = _CARD(
        name="attgan",
        version="3",
        description="Repaints each face to its own estimated age group and gender without erasing it first. "
        "Protects hardly anybody: it is here to show what erasing is for.",
        source="He, Zuo, Kan, Shan, Chen: AttGAN, IEEE TIP 2019; thesis 2.3.1",
        limits="The network sees the face and mostly keeps it.",
    )
    editor = "dp-att"
    unestimated = "gets no attributes and stays as it was"
    deepprivacy: str = field(default="", init=False)
    truncation: float = field(default=0.0, init=False)
    tone: str = field(default="", init=False)


@dataclass(kw_only=True, eq=False, repr=False)
class StarGan(AttGan):
    """StarGAN alone, as `AttGan`."""

    facts = _CARD(
        name="stargan",
        version="3",
        description=AttGan.facts.description,
        source="Choi, Choi, Kim, Ha, Kim, Choo: StarGAN, CVPR 2018; thesis 2.3.1",
        limits=f"{AttGan.facts.limits} StarGAN's is the rule that the shipped network was trained by; its "
        "architecture is that of the compact AttGAN, and it began as one.",
    )
    editor = "stargan"


@dataclass(kw_only=True, eq=False, repr=False)
class Croft(AttGan):
    """An AttGAN whose encoder is stochastic, after Croft, which the thesis found nearest to its aim (2.2.5).

    Parameters: ``noise`` 0..100, the standard deviation of what is added to the face's code, whose 128 numbers lie
    between -1 and 1: 0 hides little, 100 nearly everything; the others as `AttGan`, ``checkpoint`` being a compact
    stochastic AttGAN.
    """

    facts = _CARD(
        name="croft",
        version="2",
        description="Encodes each face, adds noise to the code, and rebuilds a face from it, from the photo around it "
        "and from the age group and gender that were estimated on the original (AttGAN with a stochastic encoder).",
        source="Croft: Design and Applications of Differentially Private Mechanisms, PhD thesis, Carleton University, "
        "2020; thesis 2.2.5; AttGAN: He, Zuo, Kan, Shan, Chen, IEEE TIP 2019",
        limits="Not Croft's network, which nobody can have, but a compact one built on what the thesis says of it, and "
        "hardly trained as shipped (see its card). The box is replaced, not the whole head. The noise promises no "
        "differential privacy: box, landmarks, attributes and surroundings have none. Every photo of a person, and "
        f"every frame of a clip, gets noise of its own, which many together average out. {KEPT}.",
    )
    editor = CROFT
    unestimated = "is rebuilt with no attributes in particular"
    noise: Annotated[float, Within(0, 100)] = 1.0
    """Of each number at most log2(1 + 1 / noise^2) / 2 bits reach the picture."""
    attributes: str = field(default=AttGan.attributes, init=False)

    @property
    def strength(self) -> float:
        return self.noise

    def labels(self, names: Sequence[str], age: float, p_female: float) -> Floats32 | None:
        """As `Cascade`'s, but never None: a face may not stay as it is because it cannot be described."""
        known = super().labels(names, age, p_female)
        return np.full(len(names), 0.5, np.float32) if known is None else known


@dataclass(kw_only=True, eq=False, repr=False)
class Chen(Cascade):
    """A DCGAN makes a face out of noise alone, StarGAN gives it the person's age group and gender (Chen et al.).

    Parameters: ``dcgan`` of a DCGAN generator; ``checkpoint`` of a StarGAN v1 generator; ``truncation`` 0..3, the
    factor of the noise: 0 gives everybody the same face; the others as `DpAtt`.
    """

    facts = _CARD(
        name="chen",
        version="2",
        description="Puts a face that a DCGAN made out of noise in place of each one, after StarGAN has given it the "
        "age group and gender that were estimated on the original.",
        source="Chen et al.: GAN-Based Image Privacy Preservation: Balancing Privacy and Utility, ML4CS 2020; thesis "
        "2.2.5; DCGAN: Radford, Metz, Chintala, ICLR 2016; StarGAN: Choi, Choi, Kim, Ha, Kim, Choo, CVPR 2018",
        limits="The networks see nothing of the photo, so the new face has another light, tone, expression and "
        "turn of the head than the picture around it. Chen et al. replace the background too and keep 13 attributes; "
        "here the face's box is replaced, and age group and gender are kept. In a clip every frame gets another face. "
        f"The face has 64 px. Both networks are weak, see their cards. {KEPT}.",
    )
    editor = "stargan"
    inventor = DCGAN
    unestimated = "gets no attributes and stays as the DCGAN made it"
    dcgan: str = SHIPPED
    truncation: Annotated[float, Within(0, 3)] = 1.0
    deepprivacy: str = field(default="", init=False)
    tone: str = field(default="", init=False)
