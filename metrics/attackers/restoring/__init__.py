"""Attackers who work from a released photo back towards the original before a recogniser reads it."""
