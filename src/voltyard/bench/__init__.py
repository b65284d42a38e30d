"""``voltyard bench``: ratios against a named peer or a physical floor, measured in the same run."""
