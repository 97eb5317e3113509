"""What can be asked, by whom, and what the answer is. Knows no platform and no HTTP."""
