"""The report of a run over clips: who can still be followed, who is exposed, and for how long."""
