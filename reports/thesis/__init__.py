"""The thesis's tables beside ours, and its hypotheses decided by interval."""
