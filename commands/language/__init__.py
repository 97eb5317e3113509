"""How people write values: dates, amounts, references, quotes and what chat clients make of them. Pure functions."""
