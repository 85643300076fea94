"""Pages about finished runs: one static folder that anybody can open, print or publish."""
