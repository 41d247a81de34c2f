"""Large amounts of photos, wherever they are stored: shards, manifests, stores, tar files."""
