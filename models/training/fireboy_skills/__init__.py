"""Heads for the simulated Fire Boy, from nothing: teachers, episodes, network, export. See models/training/README.md."""
