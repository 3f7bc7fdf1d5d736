"""Data: sources of any kind become aligned fields, then shards, then batches."""
