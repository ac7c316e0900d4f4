"""PUTTING TOGETHER: a plan of hosts, people and links, and the internet that runs it."""
