"""Policy engines behind one Protocol, bundle loading, and the join of effects."""
