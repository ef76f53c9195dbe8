"""Pictures of rules and of sessions: what runs after what, and what caused each run."""
