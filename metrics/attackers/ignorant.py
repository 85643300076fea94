"""Attackers who learn nothing: who compare released faces with photos, or with what the same method makes of the
photos, or what surrounds the faces with what surrounds them on the photos."""

from __future__ import annotations

from unmask.bench.core.cards import AttackerCard
from unmask.bench.core.views import OUTSIDE, PATCH
from unmask.metrics.attackers.support import AsRead


class Ignorant(AsRead):
    card = AttackerCard(
        name="ignorant",
        version="1",
        title="ignorant",
        knows="photos of the people, and a recogniser; nothing of the method",
        how="The recogniser's readings as they are.",
        source="The weakest attacker of the literature on anonymization, e.g. Srivastava et al. 2020 (speakers).",
        limits="An attacker who knows the method can be much stronger: what resists this one may still be readable.",
    )


class Parrot(AsRead):
    card = AttackerCard(
        name="parrot",
        version="1",
        title="parrot (lazy-informed)",
        knows="photos of the people, a recogniser, and the method itself; not the seed of its draws",
        how="The recogniser's readings as they are, of a gallery that went through the same method with another seed.",
        source="Parrot recognition: Newton, Sweeney, Malin: Preserving Privacy by De-identifying Face Images, IEEE "
        "TKDE 17(2), 2005; lazy-informed: Srivastava et al.: Evaluating Voice Conversion-based Privacy Protection "
        "against Informed Attackers, ICASSP 2020",
        limits="Learns nothing: a recogniser trained on outputs can be stronger. Where a method gives everybody the "
        "same face, all entries of the gallery are equally near, and only chance names anybody.",
        gallery="released",
    )


class Outside(AsRead):
    card = AttackerCard(
        name="outside",
        version="1",
        title="outside the face",
        knows="photos of the people, a recogniser, and where the faces are; nothing of the method",
        how="The recogniser's readings of the place of the face with the face itself filled with grey, of photos and "
        "of releases: hair, ears, neck, clothes and background.",
        source="unmask; the face's outline by the canons of Farkas et al., Plastic and Reconstructive Surgery 75(3), "
        "1985",
        limits="What it reaches no face anonymizer can mend. Recognisers were not made to read it: somebody who looks "
        "at hair and clothes may do better. A method that changes hair changes what it sees.",
        audit="full",
        view=OUTSIDE,
        explains=True,
    )


class FaceFreePatch(AsRead):
    card = AttackerCard(
        name="patch",
        version="1",
        title="a patch without a face",
        knows="photos of the people, and a recogniser; nothing of the method",
        how="The recogniser's readings of the largest square of the picture that no face reaches into, at 112 x 112 "
        "pixels, of photos and of releases. Pictures without such a square of 32 pixels are not searched.",
        source="unmask",
        limits="Photos of one person from one occasion share their background: that names people without any face. A "
        "recogniser of places may do better.",
        audit="full",
        view=PATCH,
        explains=True,
    )
