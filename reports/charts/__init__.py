"""Drawings as inline SVG that follow the page's colours and need nothing from outside."""
