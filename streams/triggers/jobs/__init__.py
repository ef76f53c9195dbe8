"""Repairs of many sessions: a filter selects items, a job is recorded, and whoever runs it changes each item once."""
