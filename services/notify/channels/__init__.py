"""How people are reached: the agents' screens, and mail to the customer."""
