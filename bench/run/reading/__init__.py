"""What instruments read of a shard's items."""
