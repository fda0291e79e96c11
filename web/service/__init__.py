"""What an operator needs: the port, keys, limits, logs, counts, settings."""
