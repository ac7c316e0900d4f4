"""TIME AND CABLE: an event loop that is a small internet. Logical addresses, latency, taps, TCP manners, two carriers."""
