"""The engine: reads a request, gathers facts, joins policy effects, enforces and records. Knows no Envoy and no gRPC."""
