"""Questions about logs and sessions, answered by folding them through the core. Nothing here can reach a producer."""
