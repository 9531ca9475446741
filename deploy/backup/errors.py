"""What keeps a backup from being taken or put back."""

from deploy.embedded.errors import SetupError


class BackupFolderTaken(SetupError):
    code = "setup.backup_folder_taken"
    sentence = "the folder for the backup is there already"
    mend = "name one that does not exist: a backup is written once and never changed"


class BackupNotTaken(SetupError):
    code = "setup.backup_not_taken"
    sentence = "the backup could not be taken; nothing of it was kept"
    mend = "look at `tellonce status` and at the room on the disk, and take it again"


class BackupDamaged(SetupError):
    """Details: file. Nothing was put back."""

    code = "setup.backup_damaged"
    sentence = "the backup is not what was written"
    mend = "use another copy of it, or an older backup"


class RestoreRefused(SetupError):
    """Details: position, where the ledger that stands there ends."""

    code = "setup.restore_refused"
    sentence = "there is a ledger already, and a backup never takes a ledger's place"
    mend = (
        "restore into an empty data folder or an empty NATS; to give a ledger up for the backup, "
        "stop the services and delete its stream LEDGER first"
    )


class RestoreFailed(SetupError):
    code = "setup.restore_failed"
    sentence = "the backup could not be put back whole"
    mend = "look at the server's log and at the room on its disk, and give the same command again: it goes on"
