"""People who do not exist: 3-D heads, facial actions, photographs, and the truth about them."""
