"""Hop 4, decide: `apply(session, event) -> Decision`. It is pure: no I/O, clock, randomness, logging or async.

Read the modules in this order: `events` (what can happen), `commands` (what a decision asks for), `config` (the rules),
`rules` (which instances a trigger fills, starts or abandons), `engine` (one event, one decision), `session` and `rows`
(the state and its layout).

Objects that are made for every event are msgspec structs with `gc=False`. They form trees, never cycles, so the garbage
collector does not need to track them.
"""
