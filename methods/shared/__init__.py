"""What several methods share: faces and their detector, alignment, checks of parameters."""
