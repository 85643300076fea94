"""Compact networks of the same kind as the published ones, small enough to be trained and shipped with unmask."""
