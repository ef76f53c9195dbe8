"""For tests of applications."""
