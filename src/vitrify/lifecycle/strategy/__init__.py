"""Ways for requests to go from what is old to what is new, one file each; every one goes as far as there is a way back."""
