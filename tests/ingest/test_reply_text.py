"""The new part of an answer: what is cut, by kinds of what programs write, and what is hers and stays."""

import time

import pytest

from services.ingest.domain import html_text, reply_text

WHO = "Help Desk <help@shop.example>"

ANNOUNCED = [
    "On Sun, 22 Nov 2026, Help wrote:\n> old",
    "On Sun, 22 Nov 2026 at 09:00, Help Desk\n<help@shop.example> wrote:\n\n> old",
    f"On Sunday, November 22, 2026 at 9:00 AM {WHO} wrote:\n\nold",
    f"On Nov 22, 2026, at 9:00 AM, {WHO}\nwrote:\n\nold\n> older\nold",
    "At 11/22/2026 09:00 AM, you wrote:\n>old\n>older",
    f"{WHO} wrote:\n\nold",
    "Anna Nowak wrote:\n> old",
    "---- On Sun, 22 Nov 2026 09:00:00 +0100 Help wrote ----\n\nold",
    f"2026-11-22 9:00 GMT+01:00 {WHO}:\n\n> old",
    "2026-11-22 09:00 GMT+01:00 Help Desk\n\nold",
    "2026-11-22 9:00 GMT+01:00 A rather long name of somebody <\nhelp@shop.example>:\n\n> old",
    "Am 22.11.2026 um 09:00 schrieb Hilfe:\n> alt",
    f"{WHO} schrieb am So., 22.\nNov. 2026 um 09:00 Uhr:\n\n> alt",
    "Le dim. 22 nov. 2026 à 09:00, Aide <aide@shop.example> a écrit :\n\n> vieux",
    "El dom, 22 nov 2026 a las 9:00, Ayuda (<ayuda@shop.example>) escribió:\n\n> viejo",
    "El domingo, 22 de noviembre de 2026, Ayuda escribió:\n\n> viejo",
    "Em dom., 22 de nov. de 2026 às 09:00, Ajuda <a@shop.example>\nescreveu:\n\n> velho",
    "Il giorno dom 22 nov 2026 alle ore 09:00 Aiuto <a@shop.example> ha scritto:\n\n> v",
    "Op zo 22 nov 2026 om 09:00 schreef Hulp <h@shop.example>:\n\n> oud",
    "Op 22 nov. 2026 om 09:00 heeft Hulp <h@shop.example> het volgende geschreven:\n\noud",
    "W dniu 22.11.2026 o 09:00, Pomoc napisał(a):\n> stare",
    "W dniu 2026-11-22 09:00:00 użytkownik Pomoc <p@shop.example> napisał:\n> stare",
    "niedz., 22 lis 2026 o 09:00 Pomoc <p@shop.example> napisał(a):\n\n> stare",
    "Dnia 22 listopada 2026 09:00 Pomoc <p@shop.example> napisał(a):\n\nstare",
    "Dne 22. 11. 2026 v 9:00 Pomoc napsal(a):\n> staré",
    "ne 22. 11. 2026 v 9:00 odesílatel Pomoc <p@shop.example> napsal:\n\n> staré",
    "Dňa 22. 11. 2026 o 9:00 Pomoc napísal(a):\n> staré",
    "Den sön 22 nov. 2026 kl 09:00 skrev Hjälp <h@shop.example>:\n\n> gammal",
    "sön 22 nov. 2026 kl. 09:00 skrev Hjälp <h@shop.example>:\n\n> gammal",
    "Den 22. nov. 2026 kl. 09.00 skrev Hjelp <h@shop.example<mailto:h@shop.example>>:\n\ngammel",
    "su 22. marrask. 2026 klo 9.00 Apu (apu@shop.example) kirjoitti:\n\n> vanha",
    "Segítség <s@shop.example> ezt írta (időpont: 2026. nov. 22., V, 9:00):\n\n> régi",
    "În dum., 22 nov. 2026 la 09:00, Ajutor <a@shop.example> a scris:\n\n> vechi",
    '22 нояб. 2026 г. 9:00 пользователь "Помощь" <\nhelp@shop.example> написал:\n\n> старое',
    "понедельник, 22 ноября 2026 г. пользователь help написал:\n\n> старое",
    '22 лист. 2026 р. 9:00 "Допомога" <help@shop.example> пише:\n\n> старе',
    "На нд, 22.11.2026 г. в 9:00 Помощ <help@shop.example> написа:\n\n> старо",
    "22 Kas 2026 Paz, 09:00 tarihinde Yardım <help@shop.example> şunu yazdı:\n\n> eski",
    "Στις Κυρ 22 Νοε 2026 στις 9:00 π.μ., ο χρήστης Help <help@shop.example> έγραψε:\n\n> x",
    "2026年11月22日(日) 9:00 Help <help@shop.example>:\n\n> 古い",
    "> 在 2026年11月22日，上午9:00，Help <help@shop.example> 写道：\n> 旧",
    "Wiadomość napisana przez Pomoc <p@shop.example> w dniu 22.11.2026, o godz. 09:00:\n\n> stare",
    "    Am Sonntag, 22. November 2026 um 09:00:00 MEZ hat Hilfe <h@shop.example> Folgendes geschrieben:  \n \n alt",
    "  On Sun, 22 Nov 2026 at 9:00, Help<help@shop.example> wrote:   old\nolder",
    "niedziela, 22 listopada 2026, 9:00:00, napisałeś:\n\n> stare",
    "> Dňa 22. 11. 2026 o 9:00 Pomoc <p@shop.example> napísal(-a):\n> \n> staré",
    "Vào CN, 22 thg 11, 2026 vào lúc 09:00 Help <help@shop.example> đã viết:\n\n> x",
]
"""Who wrote what is quoted below it: with marks, without, and over several lines."""

HEADS = [
    "-----Original Message-----\nFrom: Help",
    "-------- Original Message --------\n\nTHE END.",
    "*-------- Original Message --------*\n\nTHE END.",
    "---------- Forwarded message ---------\nFrom: Help\nDate: x\nSubject: y\nTo: z\n\nold",
    "-----Ursprüngliche Nachricht-----\nVon: Hilfe\nGesendet: Son\n\nalt",
    "-------- Wiadomość oryginalna --------\nOd: Pomoc\nDo: Anna\n\nstare",
    "---------- Původní e-mail ----------\nOd: Pomoc\n\nstaré",
    "Begin forwarded message:\n\nFrom: Help <help@shop.example>\nSubject: x\nDate: y\nTo: z\n\nold",
    "From: Help <help@shop.example>\nSent: Sunday\nTo: Anna\nSubject: Hello\n\nold",
    "________________________________\nFrom: Help\nSent: Sunday\nTo: Anna\nSubject: x\n\nold",
    "*From:* Help [mailto:help@shop.example]\n*Sent:* Sunday\n*To:* Anna\n*Subject:* x\n\nold",
    "**From:** Help\n**Date:** Sunday\n**Subject:** x\n\nold",
    'From: Help <help@shop.example>\nReply-To: "Help" <r@shop.example>\nDate: Sunday\nTo: A\n\nold',
    "From: Help <help@shop.example>\nDate: Sunday\nSubject: one that\nspans over two lines\nTo: A\n\nold",
    "Od: Pomoc\nWysłano: niedziela\n\nstare",
    "Od: Pomoc <p@shop.example>\nDate: ne 22. 11. 2026\nPredmet: x\n\nstaré",
    "Från: Hjälp [mailto:h@shop.example]\nSkickat: den 22 november\nTill: A\nÄmne: x\n\ngammal",
    "Da: Aiuto\nRisposta: Aiuto\nData: domenica 22\nA: Anna\nOggetto: x\n\nvecchio",
    "De : Aide <a@shop.example>\nEnvoyé : dimanche\nÀ : Anna\nObjet : x\n\nvieux",
    "发件人: Help\n发送时间: 2026年11月22日\n收件人: A\n主题: x\n\n旧",
]
"""The head of a quoted or forwarded mail."""

CLOSINGS = [
    "> old\n> older",
    "-- \nAnna Kowalska\n+48 601",
    "--\nAnna Kowalska\nanna@shop.example\n+48 601 222 333",
    "--\nMit lieben Grüßen\n\nAnna\nhttp://anna.example\nMobil: +49 170 1234567",
    "Sent from my iPhone",
    "Sent from my mobile device",
    "Sent from Yahoo Mail on Android",
    "Get Outlook for iOS<https://aka.ms/x>",
    "Wysłane z iPhone’a",
    "Získat Outlook pro iOS<https://aka.ms/x>",
    "Získať Outlook pre Android<https://aka.ms/x>",
    "Outlook für Android herunterladen<https://aka.ms/x>",
    "Odesláno z iPhonu",
    "Odoslané z mobilného telefónu",
    "Von meinem iPhone gesendet",
    "Diese Nachricht wurde von meinem Android-Gerät mit K-9 Mail gesendet.",
    "Envoyé de mon iPhone",
    "Sendt fra min iPad\n\nDen 22. nov. 2026 kl. 09.00 skrev Help <h@shop.example>:\n\ngammel",
    "發自我的 iPhone",
    "Sent from my Galaxy\n\n-------- Original message --------\nFrom: Help\n\nold",
    "-------\n=====\n\u1427",
]
"""Signatures, advertisements and what ends a mail."""


@pytest.mark.parametrize("tail", [*ANNOUNCED, *HEADS, *CLOSINGS])
def test_what_is_not_hers_is_cut_below_her_text(tail: str) -> None:
    """As programs write it in the languages of our customers and others."""
    assert reply_text.new_part(f"It works.\nThank you\n\n{tail}") == "It works.\nThank you"


@pytest.mark.parametrize("tail", [*ANNOUNCED, *HEADS])
def test_line_ends_of_the_network_change_nothing(tail: str) -> None:
    """A mail's lines may end in CR LF."""
    text = f"It works.\n\n{tail}".replace("\n", "\r\n")
    assert reply_text.new_part(text) == "It works."


@pytest.mark.parametrize(
    "text",
    [
        *("It works.", "", "On Monday I wrote: nothing new", "From: me\nhello"),
        "From: locker KRA09M\nTo: locker WAW22A\nIt never came.",
        "Hello,\nFrom: Kraków\nTo: Warszawa\nDate: 22.11.2026\nIt never came.",
        "Name: Anna\nPhone: 601\nOrder: ORD-1\nDate: 22.11.2026\nplease",
        "Thanks.\n--\nAnd the lamp burns.",
        "Thanks.\n--\nand my number is still the old one",
        "Hello\n________________________\nAnd my order is late.",
        "Hello\n***\nthe second matter:\n***\nthe third",
        "On this day\n\nI wrote something\n\nwhich was interesting.",
        "Your courier wrote on 22.11.2026 at 9:00:\nthe parcel is at KRA01M\nbut it is not.",
        "On 22.11.2026 at 9:00 I wrote:\nwhere is it?\nNobody answered.",
        "Sent from Kraków on Monday, never arrived",
        "Sent from my phone it was fine, but now it is not.",
        "Hello\nSent from my phone\nby mistake: please ignore the first one.",
        "On 22.11.2026 9:00 it said:   error 5",
        "Steps:\n1. On the page: click\n2. at 10:00 it wrote: error",
        "```\n# a comment\n####\ncode\n```\nEnd.",
        "> Which one?\nThe red one.",
        "a > b\nC> is a prompt of mine",
        "From: Help <help@shop.example>\nSent: Sunday\nSubject: passed on\n\nold",
    ],
)
def test_a_text_of_hers_has_no_view(text: str) -> None:
    """None says that the text itself is the new part: what is no quote for certain is hers."""
    assert reply_text.new_part(text) is None


@pytest.mark.parametrize("text", ["> all quoted", "> a\n>\n>> b\n\n> c\n"])
def test_a_mail_of_nothing_but_a_marked_quote_says_nothing(text: str) -> None:
    """The view is empty; whoever shows it shows the text instead."""
    assert reply_text.new_part(text) == ""


@pytest.mark.parametrize(
    ("text", "new"),
    [
        ("On Sun, 22 Nov 2026, Help wrote:\n> Which one?\nThe red one.\n> When?\nToday.",
         "> Which one?\nThe red one.\n> When?\nToday."),
        ("Hi\nOn Sun, 22 Nov 2026, Help wrote:\n> Which?\n\nRed.\n\nA> When?\nA> Where?\n",
         "Hi\n> Which?\n\nRed."),
        ("Hello,\nOn Sun, 22 Nov 2026, Help wrote:\n> Which?\n\nThe red one.\n-- \nAnna", "Hello,\n\nThe red one."),
        ("On Sun, 22 Nov 2026, Help wrote:\n> Which?\n\nThe red one.", "The red one."),
        ("> On Sun, 22 Nov 2026, Help wrote:\n>> Which?\n\nThe red one.", "The red one."),
        ("On 22 Nov 2026 9:00, Help wrote:\n\n    x = 1\n\nIt should be 2.", "x = 1\n\nIt should be 2."),
        ("Hello.\nOn Sun, 22 Nov 2026, Help wrote:\nWhich one?", "Hello."),
        ("Hello\n\n-----Original Message-----\nFrom: Help\nSent: x\n\n> old\n\nORD-1.", "Hello\n\n\n\nORD-1."),
        ("-----Original Message-----\n> old\nYes.\n> older\nNo.", "> old\nYes.\n> older\nNo."),
        ("Od: Pomoc\nWysłano: niedziela\nTemat: x\n\n> stare\nTak.\n-- \nAnna", "Tak."),
        ("Hello\n________________________________\nFrom: Help\nSent: x\n\n> old\nYes.", "Hello\n\nYes."),
        ("Hello\n-----Original Message-----\nFrom: Help\n\nold\n> older\nold again", "Hello"),
        ("On second thought I keep it.\nOn Sun, 22 Nov 2026, Help wrote:\n> x", "On second thought I keep it."),
        ("Yes.\n-- \nAnna\n\nOn Sun, 22 Nov 2026, Help wrote:\n> When?\nToday.", "Yes.\nToday."),
        ("  - a\n    - b\n\n> old", "- a\n    - b"),
    ],
)  # fmt: skip
def test_an_answer_between_the_lines_of_a_quote_stays(text: str, new: str) -> None:
    """With the quotes that it answers, where there are several; a single one that is announced goes."""
    assert reply_text.new_part(text) == new


@pytest.mark.parametrize(
    "line", ["On 1 ", "From: a", ">", "--", "a@b <", "x" * 400, "Sun, 22 " * 40, "- " * 150]
)
def test_a_long_text_is_read_in_time(line: str) -> None:
    """A mail's text of the largest size, made of lines that look like something."""
    text = (line + "\n") * min(9_999, 262_144 // (len(line) + 1))
    begun = time.monotonic()
    reply_text.new_part(text)
    assert time.monotonic() - begun < 5


def test_a_text_of_very_many_lines_has_no_view() -> None:
    """It is a machine's, and looking at each line would take seconds."""
    assert reply_text.new_part("a\n" * 10_001 + "> b") is None
    assert reply_text.new_part("a\n" * 9_999 + "> b") == ("a\n" * 9_999).strip()


@pytest.mark.parametrize(
    "quoted",
    [
        ('<div class="gmail_quote"><div class="gmail_attr">On Sun &lt;<a>h@shop.example</a>&gt; blorped:<br></div>'
         '<blockquote class="gmail_quote">old<div>older</div></blockquote></div>'),
        '<div class="moz-cite-prefix">Ar 22/11/2026 scríobh Help:<br></div><blockquote type="cite">old</blockquote>',
        '<blockquote type="cite">On 22 Nov, Help wrote:<br><blockquote>old</blockquote></blockquote>',
        '<hr><div id="divRplyFwdMsg"><b>Sendt av:</b> Help<br><b>Dato:</b> x</div><div>old</div>',
        '<div><p><b>From:</b> Help<br><b>Sent:</b> Sunday<br><b>Subject:</b> x</p></div><p>old</p>',
        ('<div class="gmail_quote">On 22 Nov 2026 9:00, "Help" &lt;<a>h@shop.example</a>&gt; wrote:<br>'
         "<blockquote>old</blockquote></div>"),
    ],
)  # fmt: skip
def test_a_quote_of_a_mail_of_html_is_known_by_its_markup(quoted: str) -> None:
    """In whatever language its announcement is; what stands in the text stays there."""
    text = html_text.to_text(f"<html><body><p>It <b>works</b>.</p>{quoted}</body></html>")
    assert reply_text.new_part(text) == "It works."
    assert "old" in text


def test_answers_between_quotes_of_html_stay() -> None:
    """Where Gmail has split the quote, its container is no quote."""
    text = html_text.to_text(
        '<div class="gmail_quote"><div class="gmail_attr">On Sun, Help wrote:</div><blockquote>Which?</blockquote>'
        "<div>Red.</div><blockquote>When?</blockquote></div><div>Today.</div>"
    )
    assert text == "> On Sun, Help wrote:\n\n> Which?\n\nRed.\n\n> When?\n\nToday."
    assert reply_text.new_part(text) is None
