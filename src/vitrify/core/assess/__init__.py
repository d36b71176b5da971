"""What the choice between mutable and immutable costs a project, in figures that were measured. Pure, and never sent to a target."""
