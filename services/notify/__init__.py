"""notify: tells agents until they acknowledge or the notification escalates, and sends mail to the customer."""
