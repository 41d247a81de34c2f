"""Where configurations of earlier runs name the panel."""
