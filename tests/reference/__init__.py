"""Slow, exact twins of the Monte Carlo."""
