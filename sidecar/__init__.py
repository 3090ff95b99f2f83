"""Everything that speaks Envoy: the ext_proc exchange, xDS, the access log, and the processes around them."""
