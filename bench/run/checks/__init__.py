"""Whether an output lies over its input and shows it: else it is a failure."""
