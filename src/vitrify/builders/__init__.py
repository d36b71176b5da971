"""Turn resources into an image."""
