"""``voltyard bench energy``: scheduling beside named strategies, peers and the physical bound."""
