"""How fast a closure runs. Numbers are ratios of two runs on one machine, because seconds depend on the machine."""
