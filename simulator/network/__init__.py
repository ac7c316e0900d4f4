"""TIME AND CABLE: an event loop that is a small internet: addresses, latency, taps, TCP manners, two carriers."""
