/* Tellonce web chat: <script src="/chat.js" data-door="https://…/in/<tenant>/chat/<account>" defer></script>
   The protocol and the attributes: docs/how-to/connect-chat.md. Text is never read as HTML. */
(() => {
'use strict';
const set = (document.currentScript || {}).dataset;
if (!set || !set.door) return;

const WORDS = {
  en: 'Your name|E-mail, for answers when you are away|Chat with us|Close the chat|Messages|Your message|Send|You|Shop|Connecting …|No connection. Messages are sent once it is back.|is typing …|sent|not sent|New message|Add a photo or PDF|Nobody is here now. Leave your e-mail, we answer there.',
  pl: 'Imię|E-mail, by odpisać, gdy Cię nie będzie|Napisz do nas|Zamknij czat|Wiadomości|Twoja wiadomość|Wyślij|Ty|Sklep|Łączenie …|Brak połączenia. Wiadomości zostaną wysłane, gdy wróci.|pisze …|wysłano|nie wysłano|Nowa wiadomość|Dołącz zdjęcie lub PDF|Nikogo teraz nie ma. Podaj e-mail, odpiszemy na niego.',
  sk: 'Vaše meno|E-mail na odpoveď, keď tu nebudete|Napíšte nám|Zavrieť chat|Správy|Vaša správa|Odoslať|Vy|Obchod|Pripája sa …|Bez pripojenia. Správy sa odošlú, keď sa obnoví.|píše …|odoslané|neodoslané|Nová správa|Priložiť fotku alebo PDF|Teraz tu nikto nie je. Nechajte e-mail, odpíšeme naň.',
  cs: 'Vaše jméno|E-mail na odpověď, až tu nebudete|Napište nám|Zavřít chat|Zprávy|Vaše zpráva|Odeslat|Vy|Obchod|Připojování …|Bez připojení. Zprávy se odešlou, až se obnoví.|píše …|odesláno|neodesláno|Nová zpráva|Přiložit fotku nebo PDF|Teď tu nikdo není. Nechte e-mail, odpovíme na něj.',
};
const asked = (set.lang || document.documentElement.lang || navigator.language || '').slice(0, 2).toLowerCase();
const lang = WORDS[asked] ? asked : 'en';
const [NAME, MAIL, OPEN, CLOSE, LOG, WRITE, SEND, YOU, AGENT, WAIT, OFF, TYPING, SENT, NOT_SENT, FRESH, ATTACH, AWAY] = WORDS[lang].split('|');

const CSS = `
  :host { all: initial !important; }
  #chat { position: fixed; right: 16px; bottom: 16px; z-index: 2147483000; font: 16px/1.4 system-ui, sans-serif; color: #1b1b1b;
    --color: var(--tellonce-color, #1a56c4); }
  * { box-sizing: border-box; font: inherit; }
  [hidden] { display: none !important; }
  button { border: 0; border-radius: 8px; padding: 10px 14px; background: var(--color); color: #fff; cursor: pointer; }
  :focus-visible { outline: 3px solid #f5a623; outline-offset: 2px; }
  header :focus-visible { outline-offset: -4px; }
  #toggle { border-radius: 24px; box-shadow: 0 2px 8px #0005; float: right; }
  #panel { display: flex; flex-direction: column; width: min(360px, 100vw - 32px); height: min(520px, 100dvh - 96px); background: #fff;
    border: 1px solid #888; border-radius: 12px; box-shadow: 0 4px 24px #0004; overflow: hidden; margin-bottom: 12px; }
  header { display: flex; justify-content: space-between; align-items: center; background: var(--color); color: #fff; padding-left: 16px; }
  h2 { margin: 0; font-weight: 600; }
  #log { flex: 1; overflow-y: auto; padding: 12px; }
  .said { max-width: 85%; width: fit-content; margin: 0 0 10px; padding: 8px 12px; border-radius: 12px; background: #eef0f3; }
  .mine { margin-left: auto; background: #dbe7ff; }
  .said p { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
  #state { min-height: 24px; margin: 0; padding: 0 12px; }
  small, #state { font-size: 13px; color: #4a4a4a; }
  form { display: flex; flex-wrap: wrap; gap: 8px; padding: 12px; border-top: 1px solid #ccc; align-items: end; }
  #attach { background: none; color: var(--color); padding: 0 6px; font-size: 28px; }
  textarea { flex: 1; min-width: 0; resize: none; }
  #ask { display: grid; gap: 8px; width: 100%; }
  textarea, input { border: 1px solid #767676; border-radius: 8px; padding: 8px; color: inherit; background: #fff; }
  .aside { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }`;

// -- what is kept --

const KEPT = 200;
const key = `tellonce ${set.door} ${set.email || ''}`;
const chance = (bytes) => [...crypto.getRandomValues(new Uint8Array(bytes))].map((one) => one.toString(16).padStart(2, '0')).join('');
const RANK = { undefined: 0, received: 1, no: 1, sent: 2, read: 2 };

let session = null;
let said = []; // {id, text, at, mine, by, has}: has is what the door has acknowledged of it, see RANK
let who = null; // what she said of herself
let memory = null; // what is kept, where the browser keeps nothing
let away = false; // nobody is there to answer
const files = new Map(); // what this tab has to send, by the id of its message

/** Take over what another tab, or an earlier visit, has kept. */
const load = () => {
  let kept = memory;
  try { kept = JSON.parse(localStorage.getItem(key)) || memory; } catch (_) { /* see memory */ }
  if (!kept || !Array.isArray(kept.said)) return;
  session = kept.session || session;
  who = kept.who || who;
  for (const each of kept.said.filter((one) => !files.has(one.id))) {
    const known = said.find((one) => one.id === each.id);
    if (!known) said.push(each);
    else if (RANK[each.has] > RANK[known.has]) known.has = each.has;
  }
};

const save = () => {
  load();
  said = said.slice(-KEPT);
  memory = { session, who, said: said.map((each) => (each.file && !each.has ? { ...each, has: 'no' } : each)) };
  try { localStorage.setItem(key, JSON.stringify(memory)); } catch (_) { /* see memory */ }
};

const answers = () => said.filter((each) => !each.mine);
const last = () => answers().sort((one, other) => parseInt(one.id, 10) - parseInt(other.id, 10)).pop();

// -- the page --

const make = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [field, value] of Object.entries(attributes)) made.setAttribute(field, value);
  made.append(...children);
  return made;
};
const toggle = make('button', { id: 'toggle', 'aria-expanded': 'false' }, OPEN);
const shut = make('button', { 'aria-label': CLOSE }, '✕');
const log = make('div', { id: 'log', role: 'log', 'aria-label': LOG, tabindex: '0' });
const state = make('p', { id: 'state', role: 'status' });
const pick = make('input', { type: 'file', accept: 'image/*,application/pdf', hidden: '' });
const attach = make('button', { id: 'attach', type: 'button', title: ATTACH, 'aria-label': ATTACH }, '+');
const text = make('textarea', { id: 'text', rows: '2', maxlength: '4000', placeholder: WRITE, 'aria-label': WRITE });
const field = (id, type, label) => make('input', { id, type, autocomplete: id, maxlength: '200', placeholder: label, 'aria-label': label });
const name = field('name', 'text', NAME), mail = field('email', 'email', MAIL);
const ask = make('div', { id: 'ask' }, name, mail);
const form = make('form', {}, ask, text, attach, pick,
  make('button', {}, SEND));
const panel = make('section', { id: 'panel', role: 'dialog', 'aria-labelledby': 'title' },
  make('header', {}, make('h2', { id: 'title' }, set.title || OPEN), shut), log, state, form);
const told = make('div', { class: 'aside', role: 'status' });
const host = make('tellonce-chat', { lang });
const root = host.attachShadow({ mode: 'open' });
panel.hidden = true;

/** Text with its web addresses as links. */
const linked = (content) => content.split(/(https?:\/\/[^\s<>"]+)/).map((part, k) => (k % 2
  ? make('a', { href: part, target: '_blank', rel: 'noopener noreferrer' }, part) : part));

/** Whether she is asked who she is. */
const asks = () => !set.email && (away ? !(who && who.email) : 'ask' in set && !who);

const shown = new Map();
const show = () => {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  let more = false;
  for (const each of said) {
    let item = shown.get(each.id);
    if (!item) {
      item = { note: make('small') };
      const who = make('small', {}, each.mine ? YOU : each.by || AGENT);
      log.append(make('div', { class: each.mine ? 'said mine' : 'said' }, who, make('p', {}, ...linked(each.text)), item.note));
      shown.set(each.id, item);
      more = true;
    }
    const when = new Date(each.at).toLocaleTimeString(lang, { hour: '2-digit', minute: '2-digit' });
    const note = each.mine ? `${when} · ${{ sent: SENT, no: NOT_SENT }[each.has] || '…'}` : when;
    if (item.note.textContent !== note) item.note.textContent = note;
  }
  if (more && (atEnd || panel.hidden)) log.scrollTop = log.scrollHeight;
  ask.hidden = !asks();
  const unread = panel.hidden ? answers().filter((each) => each.has !== 'read' && each.has !== 'no').length : 0;
  toggle.textContent = OPEN + (unread ? ` (${unread})` : '');
  toggle.setAttribute('aria-label', OPEN + (unread ? `, ${FRESH}: ${unread}` : ''));
};

const seen = () => !panel.hidden && document.visibilityState === 'visible';

// -- the socket --

const FIRST_MS = 1000, LONGEST_MS = 60000, ANSWER_MS = 15000, FILE_MS = 180000, TYPING_MS = 3000;
const PIECE_BYTES = 60000;
let socket = null, ready = false, pause = FIRST_MS, again = 0, flying = null, typed = 0, quiet = 0;
const reporting = new Map(); // receipts on their way, by answer

const send = (frame) => { if (ready) socket.send(JSON.stringify(frame)); };
const say = (content = away ? AWAY : '') => { state.textContent = content; };

const greet = () => {
  const hello = { type: 'hello', session, ...who };
  for (const each of ['name', 'email', 'signature', 'expires']) if (set[each]) hello[each] = set[each];
  if (last()) hello.after = last().id;
  send(hello);
};

const connect = () => {
  clearTimeout(again);
  if (socket || !session) return;
  const mine = new WebSocket(`${set.door.replace(/^http/, 'ws').replace(/\/$/, '')}/socket`);
  socket = mine;
  if (!state.textContent) say(WAIT);
  mine.onopen = () => {
    ready = true;
    greet();
    say();
    pump();
  };
  mine.onmessage = (event) => { if (socket === mine) hear(JSON.parse(event.data)); };
  mine.onclose = (event) => { if (socket === mine) lost(event.code === 1008); };
};

const update = () => { show(); connect(); pump(); };
const keep = () => { save(); update(); };

/** The socket is gone: try again, later each time, or once the network is back. */
const lost = (refused) => {
  if (socket) socket.close();
  socket = null;
  ready = false;
  clearTimeout(flying && flying.timer);
  flying = null;
  reporting.clear();
  say(OFF);
  if (refused) pause = LONGEST_MS;
  again = setTimeout(connect, pause * (0.5 + Math.random() / 2));
  pause = Math.min(pause * 2, LONGEST_MS);
};

/** Send the first message that is not acknowledged; say what the page has of each answer. */
const pump = () => {
  if (!ready) return;
  const next = said.find((each) => each.mine && !each.has);
  if (next && !flying) {
    const { id } = next, file = files.get(id);
    flying = { id, timer: setTimeout(() => lost(false), file ? FILE_MS : ANSWER_MS) };
    send(file
      ? { type: 'file', id, name: file.name.slice(0, 256), media_type: file.type || 'application/octet-stream', size: file.size }
      : { type: 'message', id, text: next.text, page: (location.origin + location.pathname).slice(0, 2048) });
  }
  const kind = seen() ? 'read' : 'received';
  for (const each of answers()) {
    if (each.has !== 'no' && RANK[kind] > RANK[each.has] && RANK[kind] > RANK[reporting.get(each.id)]) {
      reporting.set(each.id, kind);
      send({ type: kind, id: each.id });
    }
  }
};

const settle = (id, has) => {
  const each = said.find((one) => one.id === id);
  if (each) each.has = has || reporting.get(id) || (each.mine ? 'sent' : each.has);
  reporting.delete(id);
  land(id);
  keep();
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
  if (frame.type === 'go') upload(frame.id);
  if (frame.type === 'desk') { away = !frame.open; say(); show(); }
  if (frame.type === 'typing') {
    say(`${(last() || {}).by || AGENT} ${TYPING}`);
    clearTimeout(quiet);
    quiet = setTimeout(() => say(), 2 * TYPING_MS);
  }
  if (frame.type !== 'error' || !frame.id) return;
  if (!frame.retryable) return settle(frame.id, 'no');
  clearTimeout(flying && flying.timer);
  setTimeout(() => { land(frame.id); reporting.delete(frame.id); pump(); }, pause = Math.min(pause * 4, LONGEST_MS));
};

/** Send a file that was let in, with nothing between its pieces. */
const upload = (id) => {
  const file = files.get(id);
  for (let at = 0; file && at < file.size; at += PIECE_BYTES) socket.send(file.slice(at, at + PIECE_BYTES));
};

const answered = (frame) => {
  load();
  if (!said.some((each) => each.id === frame.id)) {
    said.push({ id: frame.id, text: String(frame.text), at: frame.at, by: frame.by });
    say();
    if (!seen()) told.textContent = `${FRESH}: ${frame.by || AGENT}`;
  }
  keep();
};

// -- what the visitor does --

const opened = (open) => {
  panel.hidden = !open;
  toggle.setAttribute('aria-expanded', String(open));
  told.textContent = '';
  if (open && !session) { session = chance(16); save(); }
  update();
  log.scrollTop = log.scrollHeight;
  (!open ? toggle : ask.hidden ? text : name).focus();
};

const add = (content, file) => {
  if (!ask.hidden) {
    who = { ...who };
    if (name.value.trim()) who.name = name.value.trim();
    if (mail.value && mail.checkValidity()) who.email = mail.value;
    greet();
  }
  const id = `m-${chance(12)}`;
  if (file) files.set(id, file);
  said.push({ id, text: content, at: new Date().toISOString(), mine: true, file: !!file });
  keep();
  log.scrollTop = log.scrollHeight;
};

attach.onclick = () => pick.click();
pick.onchange = () => {
  add(pick.files[0].name, pick.files[0]);
  pick.value = '';
};
toggle.onclick = () => opened(panel.hidden);
shut.onclick = () => opened(false);
form.onsubmit = (event) => {
  event.preventDefault();
  const content = text.value.trim();
  text.value = '';
  if (content) add(content);
};
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
addEventListener('storage', (event) => { if (event.key === key) { load(); update(); } });
addEventListener('online', () => { pause = FIRST_MS; connect(); });
document.addEventListener('visibilitychange', update);

const begin = () => {
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
    root.adoptedStyleSheets = [sheet];
  } catch (_) {
    root.append(make('style', {}, CSS));
  }
  root.append(make('div', { id: 'chat' }, panel, toggle, told));
  document.body.append(host);
  load();
  update();
};
if (document.body) begin();
else addEventListener('DOMContentLoaded', begin);
})();
