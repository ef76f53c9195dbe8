"""Process-wide matters: exit codes, and settings that keep memory small."""
