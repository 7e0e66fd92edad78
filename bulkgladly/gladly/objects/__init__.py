"""One module for each kind of Gladly object: all that is known of it. A new module here is a new object."""
