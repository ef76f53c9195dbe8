"""Hop 4, core: `apply(session, event) -> Decision`. It is pure: no I/O, clock, randomness, logging or async.

Read the modules in this order: `events` (what can happen), `commands` (what a decision asks for), `config` (the rules),
`rules` (which instances a trigger fills, starts or abandons), `engine` (one event, one decision), `state.session` and
`state.rows` (the state and its layout). Edition 2 of the language has modules of its own: `edition_2_rule` (a task's
directives), `conditions` and `expressions` (what they may say), `task_offer` (which instances a trigger fills).

Objects that are made for every event are msgspec structs with `gc=False`. They form trees, never cycles, so the garbage
collector does not need to track them.
"""
