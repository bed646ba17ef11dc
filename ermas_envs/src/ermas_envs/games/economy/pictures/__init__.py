"""What is drawn of the economy: the map, the panel beside it, text, and GIFs."""
