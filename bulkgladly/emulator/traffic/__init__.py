"""Events that nobody caused through the API: emitted on request, or in a contact centre at work."""
