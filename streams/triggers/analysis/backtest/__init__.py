"""What other rules would have done to recorded sessions."""
