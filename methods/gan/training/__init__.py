"""Training: one readable loop for each network, with what the loops share."""
