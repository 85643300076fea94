"""How photos become faces to train on: asked for by `unmask data build`."""
