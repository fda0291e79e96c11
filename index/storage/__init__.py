"""What a generation keeps on disk: rows, words, vectors, checksums."""
