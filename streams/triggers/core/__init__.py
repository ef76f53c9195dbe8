"""Hop 4, decide: `apply(session, event) -> Decision`. Pure: no I/O, clock, randomness, logging or async.

Read in this order: events (what can happen), commands (what comes out), config (the rules), rules (which instances a
trigger fills, starts or abandons), engine (one event, one decision), session and rows (the state and its layout).

What it makes for every event are msgspec's structs with `gc=False`: they hold one another as a tree, never in a cycle.
"""
