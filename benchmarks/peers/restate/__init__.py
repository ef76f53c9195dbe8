"""The rules as a virtual object of Restate, and the lock of its server."""
