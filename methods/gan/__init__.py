"""The learned methods: networks, how they run, their training, and the checkpoints of others."""
