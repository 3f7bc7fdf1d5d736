"""From shards to batches: samples, windows, patches and what each rank sees."""
