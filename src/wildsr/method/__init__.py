"""What a paper does: the images it derives from a batch; its losses live in ``conf/method``."""
