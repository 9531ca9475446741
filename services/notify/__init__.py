"""notify: who is told what, how, and until it is acknowledged; and mail to the customer."""
