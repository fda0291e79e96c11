"""FIND: article files -> passages -> vectors and words -> hits."""
