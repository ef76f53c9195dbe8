"""Changes of many sessions or dead letters: a filter selects items, and whoever runs the job changes each once."""
