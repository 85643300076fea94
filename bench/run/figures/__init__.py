"""Stored readings become evidence, and metrics' answers rows with intervals."""
