"""What people can ask for. Each module declares operations for one table; importing `all` joins them to the catalog."""
