"""Templates of plug-ins, each a plug-in that keeps its contract: ``unmask new``."""
