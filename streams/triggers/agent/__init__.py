"""Hop 3, agent: takes batches of records, decides them and lets the store commit them.

`consumer/` polls, commits and follows rebalances on one thread, `turns/` decides the records of a batch, and `faust/`
is everything that depends on Faust.
"""
