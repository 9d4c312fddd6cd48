"""What scores the 50 classes: the network with its branches, losses, linear models, checkpoints."""
