"""STEP 2: the queue, the question to the DNS, and the conversation with the recipient's server."""
