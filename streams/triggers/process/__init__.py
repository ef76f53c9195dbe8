"""What every process of ours needs to begin and to end: exit codes, memory."""
