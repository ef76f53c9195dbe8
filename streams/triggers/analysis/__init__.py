"""Answers questions about logs and sessions by folding them through the core. Nothing here can reach a producer."""
