"""Attackers who learn nothing: one who compares released faces with photos, and one who compares them with what the
same method makes of the photos."""

from __future__ import annotations

from unmask.bench.core.cards import AttackerCard
from unmask.bench.core.protocols import Background, Columns


class Ignorant:
    card = AttackerCard(
        name="ignorant",
        version="1",
        title="ignorant",
        knows="photos of the people, and a recogniser; nothing of the method",
        how="The recogniser's readings as they are.",
        source="The weakest attacker of the literature on anonymization, e.g. Srivastava et al. 2020 (speakers).",
        limits="An attacker who knows the method can be much stronger: what resists this one may still be readable.",
    )

    def fit(self, background: Background, *, seed: int) -> Columns:
        return {}

    def read(self, state: Columns, readings: Columns, *, released: bool) -> Columns:
        return readings


class Parrot(Ignorant):
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
