"""THE LANGUAGE: what commands, replies, addresses and messages are. Pure: no clock, no network, no other library."""
