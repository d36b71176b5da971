"""Keep blobs, images and state."""
