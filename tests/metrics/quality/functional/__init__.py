"""Tests of the pure image comparisons."""
