"""The learned methods: networks, their training, the shipped weights and the checkpoints of others."""
