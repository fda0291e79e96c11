"""One llama.cpp context, and all who read and write through it at once."""
