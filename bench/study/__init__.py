"""Protocols around runs: balanced test sets, training sets, the thesis."""
