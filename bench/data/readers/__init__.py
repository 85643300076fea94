"""One reader for each layout that a data set comes in, photos and clips alike, registered by the layout's name."""
