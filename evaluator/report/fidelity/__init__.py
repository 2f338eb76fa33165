"""How far the builds are from their references, in every form of the report."""
