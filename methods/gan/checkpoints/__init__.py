"""Other people's checkpoints: opened as untrusted input, recognised, loaded with strict keys."""
