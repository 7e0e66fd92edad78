"""From the user's columns to Gladly's fields: mapping files, their operations, and their tests."""
