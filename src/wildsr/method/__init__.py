"""Methods: the images that a paper derives from a batch; losses are in ``conf/method``."""
