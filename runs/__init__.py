"""Configurations, scheduling, storage and the command line."""
