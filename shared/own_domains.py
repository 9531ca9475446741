"""Tells the shop's own addresses from its customers': programs that write from its domain are nobody's own voice."""

from collections.abc import Iterable

FREE_MAIL = frozenset(
    {
        *("gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "msn.com"),
        *("yahoo.com", "ymail.com", "aol.com", "icloud.com", "me.com", "mac.com", "mail.com"),
        *("proton.me", "protonmail.com", "gmx.de", "gmx.net", "gmx.at", "gmx.ch", "web.de"),
        *("t-online.de", "freenet.de", "wp.pl", "o2.pl", "onet.pl", "op.pl", "interia.pl"),
        *("poczta.fm", "gazeta.pl", "tlen.pl", "seznam.cz", "email.cz", "centrum.cz", "post.cz"),
        *(
            "azet.sk",
            "zoznam.sk",
            "orange.fr",
            "free.fr",
            "laposte.net",
            "libero.it",
            "virgilio.it",
        ),
        *("mail.ru", "yandex.ru", "yandex.com", "ukr.net"),
    }
)
"""Where anybody has an address: a shop that writes from there shares its domain with its customers."""


def is_own(address: str, accounts: Iterable[str]) -> bool:
    """Tell whether an address, or the name of a list, lies in the domain of an address of the shop, or below it."""
    domain = address.rpartition("@")[2]
    owned = {each.rpartition("@")[2] for each in accounts if "@" in each} - FREE_MAIL
    return any(domain == own or domain.endswith(f".{own}") for own in owned)
