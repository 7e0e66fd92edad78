"""Know before, prove after, take back: verbs over the changes of an import."""
