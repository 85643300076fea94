"""The contracts of plug-ins, checked on a few drawn faces: ``unmask check``."""
