"""The report of ``wildsr look``: coding, blur and noise of photos, before any training."""
