"""Many photos, wherever they lie: shards of the work, manifests, stores, tar files."""
