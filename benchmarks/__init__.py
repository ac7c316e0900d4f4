"""How fast the simulator is: ratios to baselines that are measured in the same run, on the same machine."""
