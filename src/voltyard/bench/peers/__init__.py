"""Servers that ``voltyard bench ocpp`` measures voltyard beside; each a program of its own."""
