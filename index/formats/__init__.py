"""Article files of every kind, read into the fields of an article."""
