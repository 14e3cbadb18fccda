"""Figures of the screens in Plotly, and how each run looks."""
