"""Model files, from where they are kept to the one that embeds."""
