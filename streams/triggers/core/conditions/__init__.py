"""Conditions of edition 2: trees of leaves, what instances hold of them, and when they are true.

Read in this order: tree (what a condition is), grammar (how it is written), holding (what an instance holds, what a
session remembers), views (what is true of it), windows and offering (what an event does to it), seeding (what a new
instance begins with), updating (what a new rule leaves of it).
"""
