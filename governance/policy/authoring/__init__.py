"""What an author of policies uses: a start, checks, tests, and lists of what there is."""
