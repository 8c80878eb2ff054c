"""Runs a recipe's stages: content-addressed outputs, resume, one report."""
