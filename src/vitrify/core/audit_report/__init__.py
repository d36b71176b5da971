"""What an audit found, in the forms that other programs and other people read. Pure, and never sent to a target."""
