"""Methods: which images each paper computes from a batch; the losses are in ``conf/method``."""
