"""How good any detector is on labelled text, side by side with presidio-analyzer."""
