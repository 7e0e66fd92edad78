"""Every kind of Gladly object that we move, one row each. Adding an object starts here."""

from bulkgladly.errors import UsageError
from bulkgladly.records import Mode
from bulkgladly.resources import customer_steps
from bulkgladly.resources.customers import CUSTOMER_COLUMNS, prepare_customer
from bulkgladly.resources.spec import ResourceSpec

__all__ = ("RESOURCES", "resource")

RESOURCES: dict[str, ResourceSpec] = {
    "customers": ResourceSpec(
        name="customers",
        columns=CUSTOMER_COLUMNS,
        prepare=prepare_customer,
        procedures={
            Mode.CREATE: customer_steps.create,
            Mode.UPDATE: customer_steps.update,
            Mode.UPSERT: customer_steps.upsert,
            Mode.DELETE: customer_steps.delete,
        },
        requests_per_record={
            Mode.CREATE: (1, 1),
            Mode.UPDATE: (1, 2),
            Mode.UPSERT: (1, 3),
            Mode.DELETE: (1, 2),
        },
        operations=("createCustomer", "findCustomers", "getCustomer", "updateCustomer", "deleteCustomer"),
    )
}


def resource(name: str) -> ResourceSpec:
    """Return the row of the table for a resource word.

    Raises:
        UsageError: There is no such resource; the message lists those there are.
    """
    try:
        return RESOURCES[name]
    except KeyError:
        known = ", ".join(RESOURCES)
        raise UsageError(f"there is no resource {name!r} to import; choose one of: {known}") from None
