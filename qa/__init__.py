"""ANSWER: question + hits -> checked, cited answer."""
