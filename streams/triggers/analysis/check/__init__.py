"""What is wrong with rules before anything runs: refused ones, ones that cannot work, ones that depend on order."""
