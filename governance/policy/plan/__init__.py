"""OPA's intermediate representation (`opa build -t plan`) run as Python functions."""
