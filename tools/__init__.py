"""What the repository needs to build, test and prove itself; no part of vitrify."""
