"""Readers: one module for each kind of file, run in a child process where the format is risky; none knows Django."""
