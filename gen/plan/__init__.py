"""From a description and a board to a configuration: what is built, how large and how fast."""
