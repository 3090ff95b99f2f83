"""`ringfence demo`: demo nodes, a script of requests by the official client, and a table of what became of each."""
