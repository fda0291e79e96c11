"""What goes in and out over HTTP, checked, written and described."""
