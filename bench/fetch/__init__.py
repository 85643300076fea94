"""How bytes get here: the cache, https, npm, Python packages, archives, and pinned files."""
