"""Running the learned methods: crops, the networks one after the other, attributes, skin tones."""
