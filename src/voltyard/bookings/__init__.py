"""Bays and outlets kept for vehicles: who may charge there when, and what is done about others."""
