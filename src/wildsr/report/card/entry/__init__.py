"""Entries of the report card, one file each."""
