"""The lines of the degradation report card, one file each."""
