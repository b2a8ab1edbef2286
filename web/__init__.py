"""HTTP doors: thin handlers between `azure.functions` and the closure's records."""
