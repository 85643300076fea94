"""What methods made: written once, and read back beside the originals."""
