"""Who compares released faces with photos by a recogniser that never saw the method."""

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
