"""Text to findings. Knows no policy and no HTTP."""
