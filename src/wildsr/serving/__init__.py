"""Serving the page to people who are not trusted: who may ask, for what, how much, and whose it is.

Everything passes :class:`wildsr.serving.guard.Guard` before Gradio sees it.
"""
