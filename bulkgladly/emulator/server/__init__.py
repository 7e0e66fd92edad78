"""The server: connections, limits, credentials, faults on the wire, and the control endpoints."""
