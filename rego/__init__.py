"""The policy library: Rego modules, their data and the schemas. Holds no code."""
