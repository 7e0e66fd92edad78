"""What Gladly gives, as typed tables: declared schemas, a converter that loses nothing, and the parts it writes."""

from bulkgladly.lake.memory import prefer_steady_memory

__all__: tuple[str, ...] = ()

prefer_steady_memory()
