"""All SQL of the tables of pki."""
