"""STEP 3: the recipient's server accepts or refuses, and files the message in the mailbox."""
