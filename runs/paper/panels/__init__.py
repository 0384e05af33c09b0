"""Panels of the paper. Each module of this folder exports its panels as `PANELS`; here they are collected."""

from sitqmc.runs.paper.panels import clean, comparison, films, limits, maps, response, transition, weights

PANELS = {
    panel.name: panel
    for module in (transition, clean, films, comparison, weights, response, maps, limits)
    for panel in module.PANELS
}
"""All panels by name, in the order of the page; each has figure(data), caption(data) and curves(data)."""
