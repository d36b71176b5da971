"""Say what is in an image and who made it from what, in the field's own formats, and check what was said."""
