"""VDV 463, the side of the charging management: what depot systems ask for becomes duties."""
