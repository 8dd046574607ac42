"""What every part of the trade stands on: settings, clock, database, tenant scope, money, numbers,
text."""
