"""STEP 1: a mail program hands a message to its own outgoing server, which checks who it is and repairs it."""
