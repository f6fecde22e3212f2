"""The composition root of Jeevo: settings, addresses, processes."""
