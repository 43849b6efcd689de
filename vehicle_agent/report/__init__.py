"""The trip report: what the vehicle knows of one trip, folded from its journal and printed for the paper record."""
