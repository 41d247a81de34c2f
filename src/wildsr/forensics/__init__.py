"""Forensics: what a photo's file and pixels reveal about its compression history."""
