"""The edge to operators: SMPP over asyncio."""
