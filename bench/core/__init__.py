"""The words everything else is written in: types, cards, protocols, errors, statistics."""
