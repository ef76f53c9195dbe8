"""Back-tests: runs recorded sessions again under other rules and compares."""
