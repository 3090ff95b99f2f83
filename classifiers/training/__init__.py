"""From open data and our templates to the weights of the model tier."""
