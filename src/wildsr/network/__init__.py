"""Upscalers, degraders and critics; no file here knows a method."""
