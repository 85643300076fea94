"""DeepPrivacy, then StarGAN instead of AttGAN: the cascade that the thesis compared with and dropped (4.4.1)."""

from __future__ import annotations

from unmask.bench.core.cards import MethodCard
from unmask.methods.gan.attributes import THESIS
from unmask.methods.gan.cascade import LICENCE, AttributeMethod
from unmask.methods.gan.estimator import DEFAULT
from unmask.methods.gan.shipped import SHIPPED


class DpStarGan(AttributeMethod):
    """DeepPrivacy and StarGAN v1.

    Parameters: as `methods.dp_att`, ``checkpoint`` being a StarGAN v1 generator.
    """

    def __init__(
        self,
        *,
        checkpoint: str = SHIPPED,
        attributes: str = THESIS,
        estimator: str = DEFAULT,
        deepprivacy: str = SHIPPED,
        truncation: float = 0.0,
        paste: str = "box",
        detector: str = "mtcnn",
    ) -> None:
        super().__init__(
            MethodCard(
                name="dp-stargan",
                version="1",
                description="Erases each face, invents another (DeepPrivacy) and repaints it to the age group and "
                "gender that were estimated on the original (StarGAN v1).",
                licence=LICENCE,
                source="thesis 4.4.1; StarGAN: Choi, Choi, Kim, Ha, Kim, Choo, CVPR 2018",
                limits="Age group and gender are kept on purpose, and so are hair and surroundings; all of them narrow "
                "down who it is. The shipped networks are compact ones, see their cards; StarGAN's is weak: trained "
                "for a hundredth of what its authors did, it leaves faces blurred and checkered.",
            ),
            checkpoint=checkpoint,
            weights="stargan",
            attributes=attributes,
            estimator=estimator,
            paste=paste,
            detector=detector,
            deepprivacy=deepprivacy,
            truncation=truncation,
        )
