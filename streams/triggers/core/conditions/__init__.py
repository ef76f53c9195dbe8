"""Conditions of edition 2: trees of leaves, what instances hold of them, and when they are true.

Read in this order: `tree` (what a condition is), `grammar` (how it is written), `held` (what an instance holds),
`evaluator` (how expressions are evaluated), `condition_view` (what is true of an instance), `windows` and `offering`
(what an event changes), `memory` (what a new instance begins with), `receiving` (what a task receives), `updating`
(what an update of the rules keeps).
"""
