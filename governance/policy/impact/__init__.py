"""What policies did, and what others would do: explanations, replays of recorded decisions, proofs, and costs."""
