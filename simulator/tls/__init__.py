"""LOCKS: a certificate authority of our own, contexts that trust only it, and what a handshake shows."""
