"""What operations hear of a closure."""
