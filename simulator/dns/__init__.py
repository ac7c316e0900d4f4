"""NAMES: where mail for a domain goes. Questions, zones, name servers, the resolver, and the choice of mail host."""
