"""What a run has learned of the degradation, drawn and in words."""
