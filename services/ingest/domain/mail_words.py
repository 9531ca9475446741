"""The words by which mail programs announce what they quote, in the languages of Europe and the large ones elsewhere.

They are the labels of Outlook, Gmail, Apple Mail, Thunderbird and mobile clients as of 2026-11, in small letters.
"""


def _listed(words: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(" ".join(each.split()) for each in words.split(";")))


WROTE = _listed(
    """wrote; schrieb; folgendes geschrieben; schreef; het volgende geschreven; geschreven; skrev; skrifaði; a écrit;
    escribió; ha escrito; escreveu; ha scritto; a scris; va escriure; napisał(a); napisała;
    napisał; napisałeś; napisałaś; pisze; napsal(a); napsala; napsal; píše; napísal(a); napísal(-a); napísala; napísal;
    написал(а); написала; написал; пишет; написав(ла); написав; пише; написа; je napisao/la;
    je napisao; je napisala; piše; je napisal; kirjoitti; kirjutas; rakstīja; parašė; rašė;
    ezt írta; írta; έγραψε; yazdı; đã viết; menulis; כתב/ה; כתב; كتب; 写道; 寫道; 님이 작성; のメール;
    さんは書きました"""
)
"""`wrote`, between or behind who and when."""

WRITTEN_BY = _listed("wiadomość napisana przez")
"""What stands before who and when."""

BEFORE_DATE = _listed(
    """on; at; am; le; el; em; no dia; il; il giorno; op; den; dne; dňa; dnia; w dniu; la; pe;
    в; на; од; a; u; dana; vào; pada; στις; kl"""
)
"""What stands before the day."""

ORIGINALS = _listed(
    """original message; original email; forwarded message; forwarded by; reply message;
    ursprüngliche nachricht; originalnachricht; original-nachricht; weitergeleitete
    nachricht; message d'origine; message original; message transféré; message transmis;
    mensaje original; mensaje reenviado; mensagem original; mensagem encaminhada; messaggio
    originale; messaggio inoltrato; oorspronkelijk bericht; doorgestuurd bericht; oprindelig
    meddelelse; videresendt meddelelse; opprinnelig melding; videresendt melding;
    ursprungligt meddelande; vidarebefordrat meddelande; originalmeddelande; alkuperäinen
    viesti; välitetty viesti; oryginalna wiadomość; wiadomość oryginalna; wiadomość
    przekazana; przekazana wiadomość; treść przekazanej wiadomości; původní zpráva; původní
    e-mail; přeposlaná zpráva; přeposlaný e-mail; pôvodná správa; preposlaná správa; izvorna
    poruka; izvirno sporočilo; eredeti üzenet; továbbított üzenet; mesaj original; mesajul
    original; mesaj redirecționat; исходное сообщение; пересылаемое сообщение; пересланное
    сообщение; оригінальне повідомлення; переслане повідомлення; αρχικό μήνυμα; orijinal
    mesaj; özgün ileti; iletilen mesaj; 原始邮件; 原始郵件; 转发邮件; 转发的邮件; 元のメッセージ; 转發郵件;
    원본 메시지; 원본 메일"""
)
"""What stands between dashes above a quoted or forwarded mail."""

FORWARDED = _listed(
    """begin forwarded message; anfang der weitergeleiteten nachricht; début du message
    réexpédié; inicio del mensaje reenviado; início da mensagem reenviada; inizio messaggio
    inoltrato; begin doorgestuurd bericht; początek przekazywanej wiadomości; začátek
    přeposílané zprávy; začiatok preposlanej správy; vidarebefordrat brev; start på
    videresendt besked; начало переадресованного сообщения; 转发的信件; 下面是被转发的邮件"""
)
"""What Apple's programs write above a forwarded mail, with a colon behind it."""

FROM = _listed(
    """from; von; de; da; van; fra; från; lähettäjä; od; от; від; feladó; από; kimden;
    gönderen; expéditeur; remitente; mittente; afzender; absender; 发件人; 寄件者; 寄件人; 差出人; 보낸
    사람; 보낸사람; odesílatel; odosielateľ; nadawca; expeditor; saatja"""
)

SENT = _listed(
    """sent; gesendet; envoyé; enviado; enviado el; enviada em; inviato; verzonden; sendt;
    skickat; lähetetty; wysłano; wysłane; odesláno; odoslané; odoslaná; отправлено;
    надіслано; elküldve; trimis; poslano; poslato; εστάλη; gönderildi; gönderilme; 发送时间;
    傳送日期; 寄件日期; 送信日時; 보낸 날짜; saadetud"""
)

DATE = _listed(
    """date; datum; data; fecha; dato; päivämäärä; päiväys; dátum; дата; ημερομηνία; tarih; 日期;
    日付; 날짜; dată; kuupäev; envoyé le; date d'envoi"""
)

SUBJECT = _listed(
    """subject; betreff; objet; asunto; assunto; oggetto; onderwerp; emne; ämne; aihe; temat;
    předmět; predmet; тема; tárgy; subiect; θέμα; konu; 主题; 主旨; 件名; 제목; naslov; zadeva;
    teema; sujet"""
)

TO = _listed(
    """to; cc; bcc; reply-to; reply to; an; kopie; à; a; para; copia; aan; til; kopi; till;
    kopia; vastaanottaja; do; dw; komu; pro; kópia; кому; копия; копія; címzett; másolat;
    către; za; prema; προς; κοιν; kime; bilgi; 收件人; 抄送; 收件者; 副本; 宛先; 받는 사람; 참조; antwort an;
    répondre à; responder a; risposta; rispondi a; importance; attachments; organization;
    cc:; résponder a; antwoord aan; svar till; odpowiedź do; kk"""
)
"""The other fields of a quoted mail's head."""

SENT_FROM = _listed(
    r"""sent (?:from|via|with|by|using); from my; get (?:\[?outlook|bluemail|yahoo mail|spark);
    gesendet (?:von|mit|über|aus); von mein.{1,40}gesendet; diese nachricht wurde
    .{1,60}gesendet; envoyé (?:de|depuis|à partir|avec|par); enviado (?:desde|do|de|a
    partir|por|con|com); inviato (?:da|dal|con); verzonden (?:vanaf|van|met|door|via);
    verstuurd (?:vanaf|met|via); sendt (?:fra|med); skickat (?:från|med); skickades från;
    lähetetty; wysłan[eoy] (?:z|za|przy); odesláno (?:z|ze|pomocí); odoslané
    (?:z|zo|pomocou); poslano (?:z|s|sa); отправлено (?:с|из); надіслано (?:з|із); trimis
    (?:de pe|din); elküldve; (?:az )?iphone-omról küldve; στάλθηκε από; 從我的.{1,30}傳送;
    从我的.{1,30}发送; 发自我的; 發自我的; .{1,30}から送信; 나의 .{1,30}에서 보냄; iphone['’]?umdan gönderildi;
    pobierz (?:aplikację )?outlook; stáhnout outlook; získat outlook; získa(?:ť|jte) outlook;
    outlook f(?:ür|or) \w{3,7} (?:herunterladen|beziehen); holen sie sich
    outlook; obtener outlook; télécharger outlook; scarica outlook; hanki outlook"""
)
"""How the line of a phone's or a program's own advertisement begins; regular expressions."""

OWN = _listed(
    """my; meine; meinem; meiner; mon; ma; mi; meu; minha; mio; mia; mijn; min; mit; mojego; mého; mojí; môjho;
    mojej; моего; мого; a; mobile"""
)
DEVICES = _listed(
    """iphon; ipad; ipod; android; blackberry; phone; mobil; cell; device; outlook; mail; windows; galaxy;
    samsung; htc; huawei; xiaomi; redmi; nokia; tablet; smartfon; telefon; telefoon; handy;
    móvil; celular; proton; spark; 我的; 나의; телефон; k-9; gmail; yahoo; aol; nine;
    thunderbird; airmail"""
)
"""What such a line names: by itself `sent from Kraków` is the customer's."""
