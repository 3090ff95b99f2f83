"""Names, places and the meaning of a text: a trained model, its windows, its batches, its findings."""
