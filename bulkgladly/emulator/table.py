"""Every operation the emulator knows. A further one is a row in a room and, for a new room, a line here."""

from bulkgladly.emulator.customers import CUSTOMER_OPERATIONS
from bulkgladly.emulator.directory import DIRECTORY_OPERATIONS
from bulkgladly.emulator.exports import EXPORT_OPERATIONS
from bulkgladly.emulator.routing import Operation

__all__ = ("OPERATIONS",)

OPERATIONS: tuple[Operation, ...] = (*CUSTOMER_OPERATIONS, *DIRECTORY_OPERATIONS, *EXPORT_OPERATIONS)
