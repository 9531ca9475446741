/* Tellonce web chat: <script src="/chat.js" data-door="https://…/in/<tenant>/chat/<account>" defer></script>
   The protocol and the attributes: docs/how-to/connect-chat.md. No dependencies, no build; text is never read as HTML. */
(() => {
  'use strict';
  const set = (document.currentScript || {}).dataset;
  if (!set || !set.door) return;

  const NAMES = 'name mail open close log write send you agent wait off typing sending sent no fresh unread'.split(' ');
  const WORDS = {
    en: ['Your name', 'E-mail, to answer you when you are away', 'Chat with us', 'Close the chat', 'Messages',
      'Your message', 'Send', 'You', 'Shop', 'Connecting …',
      'No connection. Your messages are sent as soon as it is back.', 'is typing …', 'sending', 'sent', 'not sent',
      'New message', 'unread'],
    pl: ['Imię', 'E-mail, by odpisać, gdy Cię tu nie będzie', 'Napisz do nas', 'Zamknij czat', 'Wiadomości',
      'Twoja wiadomość', 'Wyślij', 'Ty', 'Sklep', 'Łączenie …',
      'Brak połączenia. Wiadomości zostaną wysłane, gdy tylko wróci.', 'pisze …', 'wysyłanie', 'wysłano',
      'nie wysłano', 'Nowa wiadomość', 'nieprzeczytane'],
    sk: ['Vaše meno', 'E-mail, aby sme odpísali, keď tu nebudete', 'Napíšte nám', 'Zavrieť chat', 'Správy',
      'Vaša správa', 'Odoslať', 'Vy', 'Obchod', 'Pripája sa …',
      'Bez pripojenia. Správy sa odošlú hneď, ako sa obnoví.', 'píše …', 'odosiela sa', 'odoslané', 'neodoslané',
      'Nová správa', 'neprečítané'],
    cs: ['Vaše jméno', 'E-mail, abychom odepsali, až tu nebudete', 'Napište nám', 'Zavřít chat', 'Zprávy',
      'Vaše zpráva', 'Odeslat', 'Vy', 'Obchod', 'Připojování …',
      'Bez připojení. Zprávy se odešlou, jakmile se obnoví.', 'píše …', 'odesílá se', 'odesláno', 'neodesláno',
      'Nová zpráva', 'nepřečtené'],
  };
  const asked = set.lang || document.documentElement.lang || navigator.language || '';
  const lang = WORDS[asked.slice(0, 2).toLowerCase()] ? asked.slice(0, 2).toLowerCase() : 'en';
  const words = Object.fromEntries(NAMES.map((name, k) => [name, WORDS[lang][k]]));

  const CSS = `
    :host { all: initial; position: fixed; right: 16px; bottom: 16px; z-index: 2147483000;
      font: 16px/1.4 system-ui, sans-serif; color: #1b1b1b; --color: var(--tellonce-color, #1a56c4); }
    * { box-sizing: border-box; font: inherit; }
    [hidden] { display: none !important; }
    button { border: 0; border-radius: 8px; padding: 10px 16px; background: var(--color); color: #fff; cursor: pointer; }
    :focus-visible { outline: 3px solid #f5a623; outline-offset: 2px; }
    #toggle { border-radius: 24px; box-shadow: 0 2px 8px #0005; float: right; }
    #panel { display: flex; flex-direction: column; width: min(360px, calc(100vw - 32px)); height: min(520px, calc(100vh - 96px));
      background: #fff; border: 1px solid #888; border-radius: 12px; box-shadow: 0 4px 24px #0004; overflow: hidden; margin-bottom: 12px; }
    header { display: flex; justify-content: space-between; align-items: center; background: var(--color); color: #fff; padding-left: 16px; }
    h2 { margin: 0; font-weight: 600; }
    #log { flex: 1; overflow-y: auto; padding: 12px; }
    .said { max-width: 85%; width: fit-content; margin: 0 0 10px; padding: 8px 12px; border-radius: 12px; background: #eef0f3; }
    .mine { margin-left: auto; background: #dbe7ff; }
    .said p { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
    small { font-size: 13px; color: #4a4a4a; }
    #state { min-height: 24px; margin: 0; padding: 0 12px; font-size: 14px; color: #4a4a4a; }
    form { display: flex; flex-wrap: wrap; gap: 8px; padding: 12px; border-top: 1px solid #ccc; }
    textarea { flex: 1; resize: none; }
    #ask, input { width: 100%; }
    textarea, input { border: 1px solid #767676; border-radius: 8px; padding: 8px; color: inherit; background: #fff; }
    .aside { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }`;

  // -- what is kept: the session, and what was said --

  const KEPT = 200;
  const key = `tellonce ${set.door} ${set.email || ''}`; // another customer on this browser has another session
  const chance = (bytes) => btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(bytes))))
    .replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');
  const RANK = { received: 1, sent: 1, no: 1, read: 2 };

  let session = null;
  let said = []; // {id, text, at, mine, by, has}: has is what the door has acknowledged of it, see RANK
  let who = null; // what the visitor said of herself, where the page asks
  let memory = null; // where the browser keeps nothing

  /** Take over what another tab, or an earlier visit, has kept. */
  const load = () => {
    let kept = memory;
    try { kept = JSON.parse(localStorage.getItem(key)) || memory; } catch (_) { /* kept in memory */ }
    if (!kept || !Array.isArray(kept.said)) return;
    session = kept.session || session;
    who = kept.who || who;
    for (const each of kept.said) {
      const known = said.find((one) => one.id === each.id);
      if (!known) said.push(each);
      else if ((RANK[each.has] || 0) > (RANK[known.has] || 0)) known.has = each.has;
    }
  };

  const save = () => {
    load();
    said = said.slice(-KEPT);
    memory = { session, who, said };
    try { localStorage.setItem(key, JSON.stringify(memory)); } catch (_) { /* kept in memory */ }
  };

  const number = (each) => parseInt(each.id, 10);
  const answers = () => said.filter((each) => !each.mine);
  const last = () => answers().reduce((best, each) => (best && number(best) > number(each) ? best : each), null);

  // -- the page --

  const make = (name, attributes, ...children) => {
    const made = document.createElement(name);
    for (const [field, value] of Object.entries(attributes || {})) made.setAttribute(field, value);
    made.append(...children);
    return made;
  };
  const toggle = make('button', { id: 'toggle', type: 'button', 'aria-expanded': 'false', 'aria-controls': 'panel' }, words.open);
  const shut = make('button', { type: 'button', 'aria-label': words.close }, '✕');
  const log = make('div', { id: 'log', role: 'log', 'aria-live': 'polite', 'aria-label': words.log, tabindex: '0' });
  const state = make('p', { id: 'state', role: 'status' });
  const text = make('textarea', { id: 'text', rows: '2', maxlength: '4000', placeholder: words.write });
  const field = (id, type, label) => make('input', { id, type, autocomplete: id, maxlength: '200', placeholder: label, 'aria-label': label });
  const name = field('name', 'text', words.name), mail = field('email', 'email', words.mail);
  const ask = make('div', { id: 'ask' }, name, mail);
  const form = make('form', {}, ask, make('label', { for: 'text', class: 'aside' }, words.write), text,
    make('button', { type: 'submit' }, words.send));
  const panel = make('section', { id: 'panel', role: 'dialog', 'aria-labelledby': 'title' },
    make('header', {}, make('h2', { id: 'title' }, set.title || words.open), shut), log, state, form);
  const told = make('div', { class: 'aside', role: 'status' });
  const host = make('tellonce-chat', { lang });
  const root = host.attachShadow({ mode: 'open' });
  panel.hidden = true;

  /** Text with its web addresses as links. */
  const linked = (content) => content.split(/(https?:\/\/[^\s<>"]+)/).map((part, k) => (k % 2
    ? make('a', { href: part, target: '_blank', rel: 'noopener noreferrer' }, part) : part));

  const shown = new Map();
  const show = () => {
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    let more = false;
    for (const each of said) {
      let item = shown.get(each.id);
      if (!item) {
        item = { note: make('small') };
        const who = make('small', {}, each.mine ? words.you : each.by || words.agent);
        log.append(make('div', { class: each.mine ? 'said mine' : 'said' }, who, make('p', {}, ...linked(each.text)), item.note));
        shown.set(each.id, item);
        more = true;
      }
      const when = new Date(each.at).toLocaleTimeString(lang, { hour: '2-digit', minute: '2-digit' });
      const note = each.mine ? `${when} · ${words[each.has] || words.sending}` : when;
      if (item.note.textContent !== note) item.note.textContent = note;
    }
    if (more && (atEnd || panel.hidden)) log.scrollTop = log.scrollHeight;
    ask.hidden = !('ask' in set) || !!who || !!set.email;
    const unread = answers().filter((each) => each.has !== 'read' && each.has !== 'no').length;
    toggle.textContent = unread && panel.hidden ? `${words.open} (${unread})` : words.open;
    toggle.setAttribute('aria-label', unread && panel.hidden ? `${words.open}, ${words.unread}: ${unread}` : words.open);
  };

  const seen = () => !panel.hidden && document.visibilityState === 'visible';

  // -- the socket --

  const FIRST_MS = 1000, LONGEST_MS = 60000, ANSWER_MS = 15000, TYPING_MS = 3000;
  let socket = null, ready = false, pause = FIRST_MS, again = 0, flying = null, typed = 0, quiet = 0;
  const reporting = new Map(); // receipts on their way: answer -> its kind

  const send = (frame) => { if (ready) socket.send(JSON.stringify(frame)); };
  const say = (words_) => { state.textContent = words_; };

  const greet = () => {
    const hello = { type: 'hello', session, ...who };
    for (const each of ['name', 'email', 'signature']) if (set[each]) hello[each] = set[each];
    if (last()) hello.after = last().id;
    send(hello);
  };

  const connect = () => {
    clearTimeout(again);
    if (socket || !session) return;
    const mine = new WebSocket(`${set.door.replace(/^http/, 'ws').replace(/\/$/, '')}/socket`);
    socket = mine;
    if (!state.textContent) say(words.wait);
    mine.onopen = () => {
      ready = true;
      greet();
      say('');
      pump();
    };
    mine.onmessage = (event) => { if (socket === mine) hear(JSON.parse(event.data)); };
    mine.onclose = (event) => { if (socket === mine) lost(event.code === 1008); };
  };

  /** The socket is gone: try again, later each time, and latest when the network says that it is back. */
  const lost = (refused) => {
    const old = socket;
    socket = null;
    ready = false;
    clearTimeout(flying && flying.timer);
    flying = null;
    reporting.clear();
    if (old) old.close();
    say(words.off);
    if (refused) pause = LONGEST_MS;
    again = setTimeout(connect, pause * (0.5 + Math.random() / 2));
    pause = Math.min(pause * 2, LONGEST_MS);
  };

  /** Send the first message that is not acknowledged, and say what the page has of each answer. */
  const pump = () => {
    if (!ready) return;
    const next = said.find((each) => each.mine && !each.has);
    if (next && !flying) {
      flying = { id: next.id, timer: setTimeout(() => lost(false), ANSWER_MS) };
      send({ type: 'message', id: next.id, text: next.text, page: (location.origin + location.pathname).slice(0, 2048) });
    }
    const kind = seen() ? 'read' : 'received';
    for (const each of answers()) {
      if (RANK[kind] > (RANK[each.has] || 0) && each.has !== 'no' && RANK[kind] > (RANK[reporting.get(each.id)] || 0)) {
        reporting.set(each.id, kind);
        send({ type: kind, id: each.id });
      }
    }
  };

  const settle = (id, has) => {
    const each = said.find((one) => one.id === id);
    if (each && each.mine) each.has = has || 'sent';
    else if (each) each.has = has || reporting.get(id) || each.has;
    reporting.delete(id);
    land(id);
    save();
    show();
    pump();
  };

  const land = (id) => {
    if (!flying || flying.id !== id) return;
    clearTimeout(flying.timer);
    flying = null;
  };

  const hear = (frame) => {
    pause = FIRST_MS;
    if (frame.type === 'ack') settle(frame.id);
    if (frame.type === 'answer') answered(frame);
    if (frame.type === 'typing') {
      say(`${(last() || {}).by || words.agent} ${words.typing}`);
      clearTimeout(quiet);
      quiet = setTimeout(() => say(''), 2 * TYPING_MS);
    }
    if (frame.type === 'error' && frame.id && !frame.retryable) settle(frame.id, 'no');
    if (frame.type === 'error' && frame.id && frame.retryable) {
      clearTimeout(flying && flying.timer);
      setTimeout(() => { land(frame.id); reporting.delete(frame.id); pump(); }, pause = Math.min(pause * 4, LONGEST_MS));
    }
  };

  const answered = (frame) => {
    load();
    if (said.some((each) => each.id === frame.id)) return pump();
    said.push({ id: frame.id, text: String(frame.text), at: frame.at, by: frame.by });
    say('');
    save();
    show();
    if (!seen()) told.textContent = `${words.fresh}: ${frame.by || words.agent}`;
    return pump();
  };

  // -- what the visitor does --

  const opened = (open) => {
    panel.hidden = !open;
    toggle.setAttribute('aria-expanded', String(open));
    told.textContent = '';
    if (open && !session) { session = chance(16); save(); }
    connect();
    show();
    pump();
    if (open) { log.scrollTop = log.scrollHeight; (ask.hidden ? text : name).focus(); } else toggle.focus();
  };

  const submit = () => {
    const content = text.value.trim();
    if (!content) return;
    text.value = '';
    if (!ask.hidden) {
      who = {};
      if (name.value.trim()) who.name = name.value.trim();
      if (mail.value) who.email = mail.value;
      greet();
    }
    said.push({ id: `m-${chance(12)}`, text: content, at: new Date().toISOString(), mine: true });
    save();
    show();
    log.scrollTop = log.scrollHeight;
    connect();
    pump();
  };

  toggle.onclick = () => opened(panel.hidden);
  shut.onclick = () => opened(false);
  form.onsubmit = (event) => { event.preventDefault(); submit(); };
  panel.onkeydown = (event) => { if (event.key === 'Escape') opened(false); };
  text.onkeydown = (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  };
  text.oninput = () => {
    if (Date.now() - typed < TYPING_MS) return;
    typed = Date.now();
    send({ type: 'typing' });
  };
  addEventListener('storage', (event) => { if (event.key === key) { load(); show(); connect(); pump(); } });
  addEventListener('online', () => { pause = FIRST_MS; connect(); });
  document.addEventListener('visibilitychange', () => { if (!document.hidden) { connect(); show(); pump(); } });

  const begin = () => {
    try {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(CSS);
      root.adoptedStyleSheets = [sheet];
    } catch (_) {
      root.append(make('style', {}, CSS));
    }
    root.append(panel, toggle, told);
    document.body.append(host);
    load();
    show();
    connect();
  };
  if (document.body) begin();
  else addEventListener('DOMContentLoaded', begin);
})();
