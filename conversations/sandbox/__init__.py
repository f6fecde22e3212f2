"""A small WhatsApp of its own, for a newcomer, a demonstration, the tests and load.

It speaks the Cloud API on both sides (Graph calls in, signed webhooks out) over real HTTP, keeps its own
state, and never runs beside real credentials.
"""
