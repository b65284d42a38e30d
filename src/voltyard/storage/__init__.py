"""Storage: engine, transactions, group commit, migrations, the embedded server. No queries."""
