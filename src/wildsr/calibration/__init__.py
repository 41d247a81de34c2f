"""Measure the camera of a folder of LR photos before training, by simulated moments."""
