"""The errors of Tellonce: one small tree, each leaf with a stable code.

A `code` has the form `<noun>.<reason>` and is API: never changed, never reused. The sentence may change.
Ids, sequences and limits go into `details`, never into the sentence; personal data goes into neither.
"""

from shared.errors.base import TellonceError as TellonceError
from shared.errors.doors import *  # noqa: F403  this module is the table of contents
from shared.errors.machinery import *  # noqa: F403
from shared.errors.quality import *  # noqa: F403
from shared.errors.transfers import *  # noqa: F403
from shared.errors.work import *  # noqa: F403
