"""The lines of the report card."""
