"""Run folders: create them, find them, open them again."""
