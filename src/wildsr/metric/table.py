"""Where configurations of earlier runs name the panel."""

from wildsr.metric.panel import Panel as Panel
