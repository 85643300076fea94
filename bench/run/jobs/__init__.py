"""What work is: shards of data sets, their items and keys, and the pools that do them."""
