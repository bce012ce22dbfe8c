// The console: asks the service who this browser is, draws that, and follows the service's events.
const $ = (id) => document.getElementById(id);
const SVG = 'http://www.w3.org/2000/svg';

/** An element with attributes and children; text is text, never markup. */
function el(name, attributes = {}, ...children) {
  const svg = ['svg', 'path', 'rect', 'circle', 'line', 'text', 'title', 'g'].includes(name);
  const node = svg ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children);
  return node;
}

// ---- The service -------------------------------------------------------------------------------

/** Asks the service. What a person did is activity; what the page does by itself is not. */
async function ask(method, path, body, quiet = false) {
  const headers = {};
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (quiet) headers['x-background'] = '1';
  try {
    const response = await fetch(path, {
      method, headers, credentials: 'same-origin', cache: 'no-store',
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const data = await response.json().catch(() => ({}));
    return { ok: response.ok, status: response.status, data, wait: response.headers.get('retry-after') };
  } catch {
    return { ok: false, status: 0, data: { message: 'the service cannot be reached; it may be restarting' } };
  }
}

const sentence = (text) => text ? `${text[0].toUpperCase()}${text.slice(1)}.` : 'That did not work.';

const state = { me: null, offset: 0, spans: null, streamOf: null };
const now = () => Date.now() + state.offset;
const userOf = (me) => me?.user?.id ?? null;

let [retrying, away] = [0, false];

/** For questions that are asked again and again: whether an answer is still the one to the last of them. */
function latest() {
  let last = 0;
  return () => { const mine = ++last; return () => mine === last; };
}
const asking = { me: latest(), sessions: latest(), everybody: latest() };

/** Reads who this browser is, and draws it. */
async function refresh(quiet = true) {
  const isLatest = asking.me();
  const { ok, data, status } = await ask('GET', '/api/me', undefined, quiet);
  // What was asked before may be answered after, and is old.
  if (!isLatest()) return;
  if (!ok) {
    say(sentence(data.message), true);
    // A service that is being restarted is back soon.
    if (status === 0 || status >= 500) { away = true; clearTimeout(retrying); retrying = setTimeout(() => refresh(), 2000); }
    return;
  }
  clearTimeout(retrying);
  if (away) { away = false; say(''); }
  const before = state.me;
  state.me = data;
  state.offset = data.now - Date.now();
  drawIdentity(before);
  drawCart();
  follow();
  if (data.user) loadSessions();
  if (isOperator() && (!before || userOf(before) !== userOf(data))) loadInsight();
}

const isOperator = () => state.me?.user?.roles.includes('operator') ?? false;

// ---- Events ------------------------------------------------------------------------------------

let stream = null;

/** Follows the events of the session this browser has now. */
function follow() {
  const session = state.me.session?.id ?? state.me.guest?.id ?? null;
  if (session === state.streamOf && stream && stream.readyState !== EventSource.CLOSED) return;
  stream?.close();
  stream = null;
  state.streamOf = session;
  live(false);
  if (!session) return;
  const mine = stream = new EventSource('/api/events');
  // What happened before it was open, also while the service was away, is read anew.
  mine.onopen = () => { if (mine === stream) { live(true); refresh(); } };
  mine.onerror = () => {
    if (mine !== stream) return;
    live(false);
    // The browser comes back by itself, unless it was told not to.
    if (mine.readyState === EventSource.CLOSED) { stream = null; setTimeout(() => refresh(), 2000); }
  };
  mine.addEventListener('changed', (event) => {
    const { what } = JSON.parse(event.data);
    note({ cart: 'The cart changed', values: 'The session changed', sessions: 'The list of sessions changed', identity: 'This browser signed in or out' }[what] ?? what);
    if (what === 'identity') { stream?.close(); stream = null; }
    if (what === 'sessions') loadSessions(); else refresh();
    if (what === 'sessions' && isOperator()) loadEverybody();
  });
  mine.addEventListener('signed-out', () => {
    note('This session has ended');
    mine.close();
    if (mine === stream) { stream = null; state.streamOf = null; live(false); }
    if (!leaving) say('You were signed out: in another tab, from another device, or because the time was over.');
    refresh();
  });
}

function live(on) {
  $('live').dataset.state = on ? 'on' : 'off';
  $('live').lastElementChild.textContent = on ? 'live' : 'not live';
}

function note(text) {
  $('log-empty').hidden = true;
  const at = new Date(now());
  $('log').prepend(el('li', {}, el('time', { datetime: at.toISOString() }, at.toLocaleTimeString()), el('span', {}, text)));
  while ($('log').children.length > 6) $('log').lastElementChild.remove();
}

// A tab without a session has no events; another tab tells it that somebody signed in.
const tabs = 'BroadcastChannel' in window ? new BroadcastChannel('strata-console') : null;
if (tabs) tabs.onmessage = () => { if (!stream) refresh(); };
document.addEventListener('visibilitychange', () => { if (!document.hidden) refresh(); });

// ---- Who this is -------------------------------------------------------------------------------

let saying = 0;
function say(text, bad = false) {
  const notice = $('notice');
  notice.textContent = text;
  notice.classList.toggle('bad', bad);
  notice.classList.toggle('shown', Boolean(text));
  clearTimeout(saying);
  if (text) saying = setTimeout(() => say(''), 12000);
}

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const when = (millis) => clock.format(new Date(millis));
function ago(millis) {
  const seconds = Math.max(0, Math.round((now() - millis) / 1000));
  if (seconds < 10) return 'just now';
  if (seconds < 90) return `${seconds} seconds ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} minutes ago`;
  return when(millis);
}
function left(millis) {
  const seconds = Math.max(0, Math.ceil(millis / 1000));
  const [days, hours] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24];
  const [minutes, rest] = [Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (number) => String(number).padStart(2, '0');
  if (days) return `${days} d ${two(hours)}:${two(minutes)}:${two(rest)}`;
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${two(minutes)}:${two(rest)}`;
}

function drawIdentity(before) {
  const { user, session } = state.me;
  $('signed-in').hidden = !user;
  $('signed-out').hidden = Boolean(user);
  $('devices').hidden = !user;
  $('insight').hidden = !isOperator();
  for (const link of document.querySelectorAll('nav [data-needs]')) {
    link.hidden = link.dataset.needs === 'operator' ? !isOperator() : !user;
  }
  document.title = user ? `${user.name} – Strata console` : 'Strata console';
  $('session').setAttribute('aria-labelledby', user ? 'who' : 'session-title');
  if (!user) {
    if (userOf(before)) $('user').focus({ preventScroll: true });
    return;
  }
  $('who').textContent = user.name;
  $('role').hidden = user.roles.length === 0;
  $('role').textContent = user.roles.join(', ');
  $('authenticated').textContent = when(session.authenticated);
  $('last-active').textContent = ago(session.last_active);
  $('latest').textContent = when(session.latest);
  $('remembered').textContent = session.remembered ? 'yes, for 30 days' : 'no';
  $('session-id').textContent = session.id;
  tick();
}

let asked = 0;
function tick() {
  const session = state.me?.session;
  if (!session) return;
  const rest = session.expires - now();
  $('countdown').textContent = left(rest);
  $('countdown').setAttribute('aria-label', `This session ends in ${left(rest)}`);
  const whole = Math.max(1, session.expires - session.last_active);
  $('countdown-of').textContent = session.remembered ? 'until it ends' : 'left, if you are idle';
  $('ring').style.strokeDashoffset = String(1 - Math.min(1, Math.max(0, rest / whole)));
  $('last-active').textContent = ago(session.last_active);
  // The server says when it is over; this only asks.
  if (rest < -500 && Date.now() - asked > 3000) { asked = Date.now(); refresh(); }
}
setInterval(tick, 1000);

$('sign-in').addEventListener('submit', async (event) => {
  event.preventDefault();
  const [user, password] = [$('user').value.trim(), $('password').value];
  if (!user || !password) {
    $('sign-in-error').textContent = 'Give a name and a password.';
    (user ? $('password') : $('user')).focus();
    return;
  }
  $('sign-in-button').disabled = true;
  const { ok, status, data, wait } = await ask('POST', '/api/login', { user, password, remember: $('remember').checked });
  $('sign-in-button').disabled = false;
  $('password').value = '';
  if (!ok) {
    $('sign-in-error').textContent = status === 429 ? `Too many attempts. Try again in ${wait} seconds.` : sentence(data.message);
    $('password').focus();
    return;
  }
  $('sign-in-error').textContent = '';
  $('remember').checked = false;
  const brought = [...(data.migration?.moved ?? []), ...(data.migration?.merged ?? [])];
  say(data.migration?.error ? sentence(data.migration.message)
    : brought.includes('cart') ? 'Welcome. The cart you filled as a guest is yours now.' : 'Welcome.');
  await refresh();
  $('main').focus({ preventScroll: true });
  tabs?.postMessage('signed in');
  view();
});

let leaving = false;
async function leave(path, told) {
  leaving = true;
  const { ok, data } = await ask('POST', path, {});
  say(ok ? told(data) : sentence(data.message), !ok);
  await refresh();
  leaving = false;
  if (ok) view('/signed-out', true);
}
$('sign-out').addEventListener('click', () => leave('/api/session/logout', () => 'You are signed out.'));
$('sign-out-everywhere').addEventListener('click', () => leave('/api/session/logout-everywhere', ({ ended }) => `Signed out everywhere: ${many(ended, 'session')} ended.`));
$('sign-out-others').addEventListener('click', async () => {
  const { ok, data } = await ask('POST', '/api/session/logout-others', {});
  say(ok ? `${many(data.ended, 'other session')} ended.` : sentence(data.message), !ok);
  refresh();
});
$('stay').addEventListener('click', async () => {
  await refresh(false);
  await refresh();
  say('Noted: you are here.');
});
const many = (count, word) => `${count} ${word}${count === 1 ? '' : 's'}`;

// ---- Sessions ----------------------------------------------------------------------------------

const PHONE = 'M8 3h8v18H8z M11 18h2';
const SCREEN = 'M3 5h18v11H3z M9 20h6 M12 16v4';
const TERM = 'M3 5h18v14H3z M7 10l3 2-3 2 M12 15h4';

function row(session, revoke) {
  const device = session.device ?? 'Unknown device';
  const shape = /iPhone|iPad|Android/.test(device) ? PHONE : /Program|curl/.test(device) ? TERM : SCREEN;
  const owner = session.user ? `${session.user.name ?? session.user.id} · ` : '';
  const about = el('div', { class: 'about' },
    el('p', {}, el('strong', {}, owner + device), ' ', session.current ? el('span', { class: 'badge' }, 'this browser') : ''),
    el('p', { class: 'hint' }, `${session.address ?? ''} · since ${when(session.created)} · active ${ago(session.last_active)} · ends ${when(session.expires)}${session.remembered ? ' · remembered' : ''}`));
  const button = session.current ? '' : el('button', {
    type: 'button', class: 'quiet danger revoke', 'aria-label': `End the session on ${device}, begun ${when(session.created)}`,
    onclick: (event) => { event.target.disabled = true; revoke(session); },
  }, 'End');
  return el('li', { 'data-session': session.id },
    el('span', { class: 'mark' }, el('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true' }, el('path', { d: shape }))), about, button);
}

async function loadSessions() {
  const isLatest = asking.sessions();
  const { ok, data } = await ask('GET', '/api/sessions', undefined, true);
  if (!ok || !isLatest()) return;
  $('devices-count').textContent = many(data.sessions.length, 'session');
  keepFocus($('sessions'), data.sessions.map((session) => row(session, async ({ id }) => {
    const { ok, data } = await ask('DELETE', `/api/sessions/${id}`);
    say(ok ? 'That session has ended.' : sentence(data.message), !ok);
    loadSessions();
  })));
}

/** Replaces the rows of a list; whoever had a row's button focused keeps it, or has the list's next one. */
function keepFocus(list, rows) {
  const focused = list.contains(document.activeElement) ? document.activeElement.closest('li') : null;
  const [id, place] = [focused?.dataset.session, focused ? [...list.children].indexOf(focused) : -1];
  list.replaceChildren(...rows);
  if (!focused) return;
  const same = rows.find((other) => other.dataset.session === id) ?? rows[Math.min(place, rows.length - 1)];
  (same?.querySelector('button') ?? list.querySelector('button') ?? $('main')).focus({ preventScroll: true });
}

// ---- Cart --------------------------------------------------------------------------------------

const SHELF = {
  tea: 'M4 9h12v6a4 4 0 0 1-4 4H8a4 4 0 0 1-4-4z M16 10h2a3 3 0 0 1 0 6h-2 M8 3v3 M12 3v3',
  bread: 'M4 10a4 4 0 0 1 4-5h8a4 4 0 0 1 4 5 3 3 0 0 1-2 2v7H6v-7a3 3 0 0 1-2-2z',
  notebook: 'M6 3h12v18H6z M10 3v18 M13 8h3 M13 12h3',
  lamp: 'M8 4h8l3 8H5z M12 12v7 M8 20h8',
};
for (const [product, path] of Object.entries(SHELF)) {
  $('shelf').append(el('li', {}, el('button', {
    type: 'button', id: `add-${product}`, 'aria-label': `Add ${product} to the cart`,
    onclick: () => changeCart('POST', { product, quantity: 1 }),
  }, el('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true' }, el('path', { d: path })), product[0].toUpperCase() + product.slice(1))));
}
$('cart-empty').addEventListener('click', async () => {
  if (await changeCart('DELETE')) $('add-tea').focus();
});

/** One change after the other: a guest's first begins the session that the next has to be sent in. */
let changes = Promise.resolve();
function changeCart(method, body) {
  const change = async () => {
    const { ok, data } = await ask(method, '/api/cart', body);
    if (ok) await refresh(); else say(sentence(data.message), true);
    return ok;
  };
  changes = changes.then(change, change);
  return changes;
}

function drawCart() {
  const { cart, user } = state.me;
  $('cart-owner').textContent = user ? `${user.name}’s` : 'a guest’s, yours when you sign in';
  $('cart-lines').replaceChildren(...cart.map(({ product, quantity }) =>
    el('li', { 'data-product': product }, el('span', {}, product), el('b', {}, `${quantity}`))));
  const total = cart.reduce((sum, { quantity }) => sum + quantity, 0);
  $('cart-total').textContent = total ? many(total, 'thing') : 'Nothing yet.';
  $('cart-empty').hidden = !total;
}

// ---- Insight -----------------------------------------------------------------------------------

async function loadInsight() {
  const { ok, data } = await ask('GET', `/api/operator/insight?since=${$('since').value}`, undefined, true);
  if (!ok) return;
  state.insight = data;
  drawInsight();
  loadEverybody();
}
$('since').addEventListener('change', loadInsight);
$('reload').addEventListener('click', loadInsight);

async function loadEverybody() {
  const isLatest = asking.everybody();
  const { ok, data } = await ask('GET', '/api/operator/sessions', undefined, true);
  if (!ok || !isLatest()) return;
  $('everybody-count').textContent = data.more ? `${data.sessions.length} of more` : many(data.sessions.length, 'session');
  data.sessions.sort((one, other) => other.created - one.created);
  keepFocus($('all-sessions'), data.sessions.map((session) =>
    row({ ...session, current: session.id === state.me.session?.id }, async ({ id }) => {
      await ask('DELETE', `/api/operator/sessions/${id}`);
      loadEverybody();
      loadSessions();
    })));
}

function span(millis) {
  const seconds = Math.round(millis / 1000);
  if (seconds < 100) return `${seconds} s`;
  return seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 360) / 10} h`;
}

function drawInsight() {
  const it = state.insight;
  const tiles = { Visits: it.visits, Users: it.users.count, Views: it.views, 'Left at once': `${Math.round(it.bounce_rate * 100)} %`, 'Median visit': span(it.duration.median) };
  $('tiles').replaceChildren(...Object.entries(tiles).map(([word, value]) => el('div', {}, el('dt', {}, word), el('dd', {}, `${value}`))));
  drawActive(it);
  $('chart-pages').replaceChildren(it.pages.top.length ? bars(it.pages.top.map(({ name, count, millis }) => [name, count, `${count} · ${span(millis)}`])) : nothing());
  drawDevices(it.devices.filter(({ visits }) => visits));
  const { median, p95 } = it.duration;
  $('chart-durations').replaceChildren(it.visits ? bars([['Half of all visits', median, span(median)], ['95 of 100 visits', p95, span(p95)]]) : nothing());
}

const nothing = () => el('p', { class: 'hint' }, 'No visit has ended in this time. A visit ends at a sign-out, or after two quiet minutes.');

/** Rows of a name, a bar and a number. */
function bars(rows) {
  const most = Math.max(1, ...rows.map(([, value]) => value));
  return el('ul', { class: 'bars' }, ...rows.slice(0, 6).map(([name, value, shown]) => el('li', {},
    el('div', { class: 'words' }, el('span', {}, name), el('span', {}, shown)),
    el('svg', { viewBox: '0 0 100 8', preserveAspectRatio: 'none', role: 'img', 'aria-label': `${name}: ${shown}` },
      el('rect', { class: 'rest', width: 100, height: 8 }),
      el('rect', { class: 'fill', width: Math.max(1, 100 * value / most), height: 8 })))));
}

function drawDevices(devices) {
  const all = devices.reduce((sum, { visits }) => sum + visits, 0);
  if (!all) return $('chart-devices').replaceChildren(nothing());
  let before = 0;
  const slices = devices.map(({ device, visits }, place) => {
    const slice = el('circle', {
      class: `slice s${place}`, cx: 52, cy: 52, r: 42, pathLength: 1, transform: 'rotate(-90 52 52)',
      'stroke-dasharray': `${visits / all} 1`, 'stroke-dashoffset': -before,
    }, el('title', {}, `${device}: ${visits}`));
    before += visits / all;
    return slice;
  });
  const names = devices.map(({ device, visits }, place) => el('li', {},
    el('svg', { viewBox: '0 0 10 10', 'aria-hidden': 'true' }, el('rect', { class: `fill s${place}`, width: 10, height: 10, rx: 2 })), `${device}: ${visits}`));
  $('chart-devices').replaceChildren(el('div', { class: 'donut' },
    el('svg', { viewBox: '0 0 104 104', role: 'img', 'aria-label': devices.map(({ device, visits }) => `${device} ${visits}`).join(', ') }, ...slices),
    el('ul', {}, ...names)));
}

/** Visits that were open, over the period; drawn as wide as there is room, so that its words keep their size. */
function drawActive({ active, from, to }) {
  const box = $('chart-active');
  const [width, height, foot] = [Math.max(280, box.clientWidth || 640), 190, 24];
  const most = Math.max(1, ...active.map(({ visits }) => visits));
  const [left, right, top] = [28, width - 8, 12];
  const x = (at) => left + (right - left) * (at - from) / Math.max(1, to - from);
  const y = (visits) => height - foot - (height - foot - top) * visits / most;
  const steps = active.map((step, place) => [x(step.from), x(active[place + 1]?.from ?? to), y(step.visits), step.visits]);
  const edge = steps.map(([start, end, at], place) => `${place ? 'L' : 'M'}${start} ${at}L${end} ${at}`).join('');
  const lines = [...new Set([0, Math.ceil(most / 2), most])].flatMap((value) => [
    el('line', { class: 'grid', x1: left, x2: right, y1: y(value), y2: y(value) }),
    el('text', { x: left - 8, y: y(value) + 4, 'text-anchor': 'end' }, `${value}`)]);
  const long = to - from > 86_400_000;
  const word = (at) => new Date(at).toLocaleString(undefined, long ? { day: 'numeric', month: 'short' } : { hour: '2-digit', minute: '2-digit' });
  const marks = [0, .5, 1].map((part) => el('text', { x: left + (right - left) * part, y: height - 4, 'text-anchor': ['start', 'middle', 'end'][part * 2] }, word(from + (to - from) * part)));
  const hover = steps.map(([start, end, , visits], place) => el('rect', { x: start, y: top, width: Math.max(0, end - start), height: height - foot - top, opacity: 0 },
    el('title', {}, `${word(active[place].from)}: ${visits}`)));
  box.replaceChildren(el('svg', { viewBox: `0 0 ${width} ${height}`, height, role: 'img', 'aria-label': `Active sessions over time, at most ${most} at once` },
    ...lines, el('path', { class: 'area', d: `${edge}L${right} ${y(0)}L${left} ${y(0)}Z` }), el('path', { class: 'edge', d: edge }), ...marks, ...hover));
}
new ResizeObserver(() => { if (state.insight && !$('insight').hidden) drawActive(state.insight); }).observe($('chart-active'));

// ---- Visits, theme -----------------------------------------------------------------------------

/** What the browser remembers for this page; a browser that does not is no failure. */
const memory = {
  get: (key) => { try { return localStorage.getItem(key); } catch { return null; } },
  set: (key, value) => { try { localStorage.setItem(key, value); } catch { /* it forgets */ } },
  remove: (key) => { try { localStorage.removeItem(key); } catch { /* as above */ } },
};

function visitor() {
  let id = memory.get('visitor');
  if (!id) {
    id = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    memory.set('visitor', id);
  }
  return id;
}

/** Counts a page of the console, if the visitor has agreed. */
async function view(page = location.hash.slice(1) ? `/${location.hash.slice(1)}` : '/', ends = false) {
  if (memory.get('consent') !== 'yes') return;
  await ask('POST', '/api/visit', { visitor: visitor(), page, referrer: document.referrer, width: innerWidth, consent: true, ends }, true);
}
addEventListener('hashchange', () => view());

$('consent').checked = memory.get('consent') === 'yes';
$('consent').addEventListener('change', async () => {
  if ($('consent').checked) {
    memory.set('consent', 'yes');
    view();
  } else {
    const id = visitor();
    memory.remove('consent');
    memory.remove('visitor');
    await ask('POST', '/api/visit', { visitor: id, page: '/', consent: false }, true);
    say('Your visits are no longer counted, and what was stored of them is gone.');
  }
});

const dark = matchMedia('(prefers-color-scheme: dark)');
function drawTheme() {
  const chosen = memory.get('theme');
  if (chosen) document.documentElement.dataset.theme = chosen; else delete document.documentElement.dataset.theme;
  const isDark = chosen ? chosen === 'dark' : dark.matches;
  $('theme').textContent = isDark ? 'Light' : 'Dark';
  $('theme').setAttribute('aria-label', isDark ? 'Use light colours' : 'Use dark colours');
  $('theme').setAttribute('aria-pressed', String(isDark));
}
$('theme').addEventListener('click', () => {
  const isDark = $('theme').getAttribute('aria-pressed') === 'true';
  memory.set('theme', isDark ? 'light' : 'dark');
  drawTheme();
});
dark.addEventListener('change', drawTheme);
addEventListener('storage', drawTheme);
drawTheme();

refresh();
view();
