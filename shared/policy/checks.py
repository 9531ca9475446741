"""What in a policy names something that is not there, or is misread."""

import re

from shared import (
    aggregates,
    calendars,
    exchange_address,
    handles,
    mailbox_address,
    oauth,
    patterns,
    subjects,
    submission_address,
)
from shared.out_of_hours import complaints as out_of_hours_complaints
from shared.overload import complaints as overload_complaints
from shared.policy import automatic
from shared.policy.accounts import SIGNING
from shared.policy.lines import LINE_WORDS
from shared.policy.model import Policy


def contradictions(policy: Policy) -> list[str]:
    """Return what names something that is not there, in reading order; [] when nothing does."""
    found = []
    for name, agent in policy.agents.items():
        found += [
            f"agent {name}: no queue {queue}"
            for queue in agent.queues
            if queue not in policy.queues
        ]
    for name, queue in policy.queues.items():
        if queue.supervisor is not None and queue.supervisor not in policy.agents:
            found.append(f"queue {name}: no agent {queue.supervisor}")
    for name, account in policy.accounts.items():
        channel, slash, short = name.partition("/")
        if not slash or not subjects.is_token(channel) or not subjects.is_token(short):
            found.append(f"account {name}: not <channel>/<name>")
        elif not subjects.is_token(aggregates.split(aggregates.account(channel, short))[1]):
            longest = subjects.TOKEN_MAX_CHARACTERS - len(f"{channel}-")
            found.append(f"account {name}: longer than {longest} characters after the channel")
        pressed = [rule.queue for rule in account.menu.values() if rule.queue is not None]
        wanted = [account.queue, *account.topics.values(), *pressed]
        found += [
            f"account {name}: no queue {queue}" for queue in wanted if queue not in policy.queues
        ]
        if account.secret is not None and SIGNING in account.secrets:
            found.append(f"account {name}: both secret and secrets.{SIGNING}")
    writers = [name for name in policy.accounts if _sends_mail(policy, name)]
    found += overload_complaints(policy.overload, policy.queues, writers)
    found += _unmet(policy)
    recipients = {f"queue-{name}" for name in policy.queues}
    recipients |= {f"agent-{name}" for name in policy.agents}
    found += automatic.complaints(policy.rules, policy.labels, recipients, writers)
    found += out_of_hours_complaints(policy.out_of_hours, writers)
    found += _misread(policy)
    found += _hours(policy)
    found += _waits(policy)
    found += _levels(policy)
    found += _lines(policy)
    asking = [each.asks for each in policy.patterns if each.asks is not None]
    stating = [each.pattern for each in policy.patterns]
    every = [*stating, *asking, *policy.never_identifies]
    found += [f"pattern {each}: {why}" for each in every if (why := patterns.complaint(each))]
    return found


def _lines(policy: Policy) -> list[str]:
    """Return which next lines are not there or lead round in a circle, and which of their texts leave a blank."""
    found = []
    for name, queue in policy.queues.items():
        if queue.next_line is None:
            continue
        if queue.next_line.queue not in policy.queues:
            found.append(f"queue {name}: no queue {queue.next_line.queue}")
        elif name in [each.queue for each in policy.lines_after(name)]:
            found.append(f"queue {name}: next_line: it leads back to it")
        for text in queue.next_line.texts.values():
            unknown = sorted({*re.findall(r"\{(.*?)\}", text)} - {*LINE_WORDS})
            found += [f"queue {name}: nothing stands for {{{each}}} in a text" for each in unknown]
    return found


def _hours(policy: Policy) -> list[str]:
    """Return what is wrong with the calendars, and which are named and not there."""
    found = [
        f"calendar {name}: {complaint}"
        for name, calendar in policy.calendars.items()
        for complaint in calendars.complaints(calendar)
    ]
    if policy.calendar is not None and policy.calendar not in policy.calendars:
        found.append(f"no calendar {policy.calendar}")
    for name, queue in policy.queues.items():
        named = {queue.calendar, *queue.calendars.values()} - {None, *policy.calendars}
        found += [f"queue {name}: no calendar {each}" for each in sorted(filter(None, named))]
    return found


def _waits(policy: Policy) -> list[str]:
    """Return where the limits of waiting are not in order."""
    limits = {"times": policy.times.wait_seconds}
    limits |= {f"queue {name}": queue.wait_seconds or () for name, queue in policy.queues.items()}
    return [
        f"{where}: wait_seconds are not in order"
        for where, each in limits.items()
        if list(each) != sorted(set(each))
    ]


def _unmet(policy: Policy) -> list[str]:
    """Return which steps of queues are out of order or lead nowhere, and which skills nobody has at all."""
    found = []
    for name, queue in policy.queues.items():
        after = [step.after_seconds for step in queue.relaxes]
        if after != sorted(set(after)):
            found.append(f"queue {name}: the steps of relaxes are not in order of after_seconds")
        wanted = [step.overflow for step in queue.relaxes if step.overflow is not None]
        found += [f"queue {name}: no queue {each}" for each in wanted if each not in policy.queues]
    known = {skill for agent in policy.agents.values() for skill in agent.skills}
    asked = {f"queue {name}": queue.skills for name, queue in policy.queues.items()}
    for name, account in policy.accounts.items():
        asked[f"account {name}"] = account.skills
        asked |= {f"account {name}: menu {key}": it.skills for key, it in account.menu.items()}
    return found + [
        f"{where}: nobody has the skill {skill}"
        for where, skills in asked.items()
        for skill in skills
        if skill not in known
    ]


def _levels(policy: Policy) -> list[str]:
    """Return which service levels name a queue that is not there, or have a name that an earlier one has."""
    names = [level.name for level in policy.service_levels]
    return (
        [
            f"service level {name}: it stands twice"
            for name in sorted({*names})
            if names.count(name) > 1
        ]
        + [
            f"service level {level.name}: no queue {queue}"
            for level in policy.service_levels
            for queue in level.queues
            if queue not in policy.queues
        ]
        + [
            f"service level {level.name}: no team {team}"
            for level in policy.service_levels
            for team in level.teams
            if team not in policy.teams()
        ]
    )


def _misread(policy: Policy) -> list[str]:
    """Return which regions and own addresses of accounts are none."""
    regions = [policy.region, *(account.region for account in policy.accounts.values())]
    unknown = sorted({each for each in regions if each and not handles.is_region(each)})
    return (
        [f"region {each}: no country of ISO 3166" for each in unknown]
        + [
            f"external {name}: {each.number} is no phone number of E.164"
            for name, each in policy.external.items()
            if handles.phone(each.number) != each.number
        ]
        + [
            f"account {name}: the address is no e-mail address"
            for name, account in policy.accounts.items()
            if "@" in (account.address or "") and not handles.email(account.address)
        ]
        + [
            f"account {name}: imap: {complaint}"
            for name, account in policy.accounts.items()
            if account.imap is not None and (complaint := mailbox_address.complaint(account.imap))
        ]
        + [
            f"account {name}: oauth: {complaint}"
            for name, account in policy.accounts.items()
            if account.oauth is not None and (complaint := oauth.complaint(account.oauth))
        ]
        + [
            f"account {name}: smtp: {complaint}"
            for name, account in policy.accounts.items()
            if account.smtp is not None
            and (complaint := submission_address.complaint(account.smtp))
        ]
        + [
            f"account {name}: when_away: {way.by} is no account of e-mail with an address"
            for name, account in policy.accounts.items()
            if (way := account.when_away) is not None and not _sends_mail(policy, way.by)
        ]
        + [
            f"account {name}: {complaint}"
            for name, account in policy.accounts.items()
            if (complaint := exchange_address.complaint(account.ami, account.ari))
        ]
    )


def _sends_mail(policy: Policy, name: str) -> bool:
    account = policy.accounts.get(name)
    return account is not None and handles.email(account.address) is not None
