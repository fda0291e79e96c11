"""What words say and ask for, told without a model."""
