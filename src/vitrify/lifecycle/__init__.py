"""The stories, each readable aloud."""
