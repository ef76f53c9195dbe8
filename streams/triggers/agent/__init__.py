"""Hop 3, agent: decides one batch of a partition's records. It calls the core and nothing else does, in production."""
