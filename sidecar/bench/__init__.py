"""`ringfence bench path`: CPU per request of the full path against a no-op ext_proc and against Envoy alone, in one run."""
