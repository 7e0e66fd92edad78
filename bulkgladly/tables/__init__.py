"""What Gladly gives, as typed tables: declared schemas, a converter that loses nothing, and the parts it writes."""
