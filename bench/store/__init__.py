"""Where results lie: layout, schemas, atomic writes, provenance."""
