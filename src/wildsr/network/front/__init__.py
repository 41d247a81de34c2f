"""Front-ends of critics: fixed transforms of the image before the first layer."""
