"""What stands around the services: the stack on one machine, the command line, the story player, the bootstrap job.

No service and no module of `shared` imports anything from here.
"""
