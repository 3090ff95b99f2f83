"""The nodes that serve inference, as the operator declares them."""
