"""How a bundle of policies comes from where it is made to where it is in force: archives, signatures, origins, the last good."""
