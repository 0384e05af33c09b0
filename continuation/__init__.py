"""Analytic continuation of imaginary-time correlators."""
