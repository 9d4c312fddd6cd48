"""What the service can be asked, a module for each kind of thing."""
