"""Playing the providers: deliveries at the doors, signed and shaped as each provider does it, and the mail boxes."""
