"""STEP 1: a mail program hands a message to its own outgoing server, which authenticates it and repairs what is missing."""
