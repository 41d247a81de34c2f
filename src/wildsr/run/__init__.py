"""Run folders: made, found, opened again."""
