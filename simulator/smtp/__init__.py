"""TALKING: the one SMTP server that all mail servers are made of, the client, and how both sign in."""
