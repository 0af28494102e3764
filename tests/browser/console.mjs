// console.mjs: the console page in a real Chromium against a real server: four transports see the same events, across cuts,
// killed workers and deleted history. TAP on standard output.
//
// SCREENSHOTS names a directory for pictures of the page; by default they go to one that is removed at the end.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server } from '../clients/server.mjs';
import { Tap, check, equal, until } from '../clients/tap.mjs';
import { launch, openPage } from './chromium.mjs';

const TRANSPORTS = ['poll', 'longpoll', 'sse', 'ws'];
const ROWS_MAX = 60;
const SERVER_GONE = /net::ERR_|WebSocket connection to/;
const REFUSED = /status of 40[0-9]/;

const pictures = process.env.SCREENSHOTS || mkdtempSync(join(tmpdir(), 'ringcast-screenshots-'));
mkdirSync(pictures, { recursive: true });
if (!process.env.SCREENSHOTS)
	process.on('exit', () => rmSync(pictures, { recursive: true, force: true }));

/* ---- reading the page ---------------------------------------------------------------------------- */

// {poll: {state, rows: [{id, data, type, latency, bytes, replayed}], notes: [{text, level}], count, cursor, beats}, …}, oldest first.
function read(page) {
	return page.evaluate(() => Object.fromEntries([...document.querySelectorAll('.pane')].map((pane) => {
		const text = (part) => pane.querySelector(`[data-is="${part}"]`).textContent;
		const of = (row, part) => row.querySelector(`.${part}`).textContent;
		return [pane.dataset.transport, {
			state: pane.dataset.state,
			rows: [...pane.querySelectorAll('.row')].reverse().map((row) => ({
				id: row.dataset.id, data: of(row, 'data'), type: of(row, 'type'), latency: of(row, 'latency'),
				bytes: of(row, 'bytes'), replayed: !row.querySelector('.tag').hidden,
			})),
			notes: [...pane.querySelectorAll('.note')].reverse().map((note) => ({ text: note.textContent, level: note.classList[1] ?? '' })),
			count: Number(text('count')), bytes: text('bytes'), cursor: text('cursor'), beats: Number(pane.dataset.beats ?? 0),
			button: pane.querySelector('button').textContent,
		}];
	})));
}

// Waits until `wanted(pane, name)` holds in all panes at once.
async function all(page, wanted, what) {
	let panes;
	try {
		return await until(async () => {
			panes = await read(page);
			return TRANSPORTS.every((name) => wanted(panes[name], name)) && panes;
		}, what);
	} catch (error) {
		error.message += `\n${JSON.stringify(panes, null, 1).slice(0, 4000)}`;
		throw error;
	}
}

const isLive = (pane) => pane.state === 'live';
const has = (id) => (pane) => pane.rows.some((row) => row.id === id);
const pane = (name) => `.pane[data-transport="${name}"]`;

async function publishFromPage(page, data, { kind = 'JSON', type = '' } = {}) {
	await page.fill('#data', data);
	await page.selectOption('#kind', { label: kind });
	await page.fill('#type', type);
	await page.evaluate(() => (document.querySelector('#said').textContent = ''));
	await page.click('#publish button');
	const said = await until(() => page.textContent('#said'), 'the page tells of its publish');
	return /^published (\S+)/.exec(said)?.[1] ?? said;
}

// Notes what stands elsewhere than before, in any frame. Rows move down in their lists; nothing else may.
async function watchPlaces(page) {
	await page.evaluate(() => {
		const parts = document.querySelectorAll('header > *, form, .field, .below > *, .pane, .head > *, dl > *, .log, footer');
		const places = () => [...parts].map((part) => {
			const { x, y, width, height } = part.getBoundingClientRect();
			return part.id === 'said' ? [y, height] : [x, y, width, height];
		});
		const before = places();
		window.moved = [];
		const look = () => {
			places().forEach((place, i) => {
				if (String(place) !== String(before[i]))
					window.moved.push(`${parts[i].tagName}.${parts[i].className}: ${before[i]} to ${place}`);
			});
			requestAnimationFrame(look);
		};
		look();
	});
}

/* ---- the tests ----------------------------------------------------------------------------------- */

const tap = new Tap({ script_ms: 170000, test_ms: 30000 });
const server = await Server.boot({ console: true, beat_s: { ws: 1, sse: 1 } });
const browser = await launch();

// Opens the page, runs the body when all four panes are live, and fails when the page complained.
function test(name, body, options = {}) {
	return tap.test(name, async (after) => {
		const page = await openPage(browser, (options.url ?? server.url) + (options.hash ?? ''), options);
		after(() => page.context().close());
		if (!options.refused)
			await all(page, isLive, 'all panes are live');
		await body(page, after);
		equal(page.complaints, [], 'complaints of the page');
	});
}

await test('console_asks_nobody_but_its_server', async (page) => {
	const asked = [];
	page.on('request', (request) => asked.push(request.url()));
	await page.reload();
	await all(page, isLive, 'all panes are live');
	equal(asked.filter((url) => !url.startsWith(server.url) && !url.startsWith('data:')), [], 'foreign requests');
	check(asked.length >= 4, `only ${asked.length} requests`);
});

await test('console_shows_an_event_of_its_own_in_all_panes', async (page) => {
	const id = await publishFromPage(page, '{"n":$n, "exact": [1.0, 12345678901234567890]}', { type: 'notice' });
	const panes = await all(page, has(id), 'the event is in all panes');
	for (const name of TRANSPORTS) {
		const row = panes[name].rows.find((each) => each.id === id);
		equal(row.data, '{"n":1, "exact": [1.0, 12345678901234567890]}', `${name}: data`);
		equal(row.type, 'notice', `${name}: type`);
		equal(row.replayed, false, `${name}: replayed`);
		check(/^[0-9.]+ (ms|s)$/.test(row.latency), `${name}: latency ${row.latency}`);
		equal(panes[name].cursor, id, `${name}: cursor`);
	}
	// The event object alone in a poll; in WebSocket 4 bytes of head or 2; in SSE 12 and the id around it.
	const bytes = Object.fromEntries(TRANSPORTS.map((name) => [name, parseInt(panes[name].rows.at(-1).bytes, 10)]));
	const object = `{"id":"${id}","channel":"demo.hello","type":"notice","data":{"n":1, "exact": [1.0, 12345678901234567890]}}`.length;
	equal(bytes, { poll: object, longpoll: object, sse: object + 12 + id.length, ws: object + 4 - 2 * (object < 126) }, 'bytes');
});

await test('console_shows_events_of_the_publish_socket_without_moving', async (page) => {
	await watchPlaces(page);
	const ids = [];
	for (const data of ['plain text', '<b>&amp;</b>', '', 'λ 漢字 🚀', { nested: ['x'] }])
		ids.push((await server.publish({ channel: 'demo.hello', data })).id);
	ids.push((await server.publish({ channel: 'demo.hello', data64: 'AAH/' })).id);
	const panes = await all(page, (each) => ids.every((id) => has(id)(each)), 'all events are in all panes');
	for (const name of TRANSPORTS) {
		equal(panes[name].rows.map((row) => row.id), ids, `${name}: ids`);
		equal(panes[name].rows.map((row) => row.data),
			['plain text', '<b>&amp;</b>', '', 'λ 漢字 🚀', '{"nested":["x"]}', 'base64 AAH/'], `${name}: data`);
		check(panes[name].rows.every((row) => /^≈ [0-9.]+ (ms|s)$/.test(row.latency)), `${name}: latency by the id's time`);
	}
	equal(await page.evaluate(() => window.moved.slice(0, 5)), [], 'what moved');
});

await test('console_shows_beats', async (page) => {
	const before = await read(page);
	await all(page, (each, name) => name === 'longpoll' || each.beats > before[name].beats, 'every pane but the waiting one beats');
});

await test('console_resumes_what_was_cut', async (page) => {
	const first = await publishFromPage(page, 'before', { kind: 'text' });
	await all(page, has(first), 'the first event is in all panes');
	await page.click('#cut-all');
	await all(page, (each) => each.state === 'cut' && each.button === 'Resume', 'all panes are cut');
	const missed = [];
	for (const data of ['one', 'two', 'three'])
		missed.push((await server.publish({ channel: 'demo.hello', data })).id);
	await page.screenshot({ path: join(pictures, 'cut.png') });
	for (const name of TRANSPORTS)
		equal((await read(page))[name].count, 1, `${name}: events while cut`);
	for (const name of TRANSPORTS)
		await page.click(`${pane(name)} button`);
	const panes = await all(page, (each) => each.state === 'live' && each.notes.some((note) => note.text.includes('replay done')), 'all panes are live');
	for (const name of TRANSPORTS) {
		equal(panes[name].rows.map((row) => [row.id, row.replayed]), [[first, false], ...missed.map((id) => [id, true])], `${name}: rows`);
		check(panes[name].notes.some((note) => note.text.includes(`resuming after ${first}`)), `${name}: tells where it resumes`);
		check(panes[name].notes.some((note) => note.text.includes('replay done: 3 events')), `${name}: tells the end of the replay`);
	}
	const last = await publishFromPage(page, 'after', { kind: 'text' });
	const after = await all(page, has(last), 'live again');
	for (const name of TRANSPORTS)
		equal(after[name].rows.at(-1).replayed, false, `${name}: replayed`);
	await page.screenshot({ path: join(pictures, 'resumed.png') });
});

await test('console_shows_gaps', async (page) => {
	const first = await publishFromPage(page, '1');
	await all(page, has(first), 'the first event is in all panes');
	await page.click('#cut-all');
	await all(page, (each) => each.state === 'cut', 'all panes are cut');
	await server.publish({ channel: 'demo.hello', data: 'lost' });
	await server.private('DELETE', '/channels/demo.hello');
	const { id } = await server.publish({ channel: 'demo.hello', data: 'kept' });
	await page.click('#resume-all');
	const panes = await all(page, (each) => has(id)(each) && each.notes.some((note) => note.level === 'gap'), 'the gap and the event behind it');
	for (const name of TRANSPORTS)
		equal(panes[name].rows.map((row) => row.id), [first, id], `${name}: rows`);
	await page.screenshot({ path: join(pictures, 'gap.png') });
	await all(page, isLive, 'all panes are live again');
});

await test('console_changes_the_channel', async (page) => {
	const sockets = [];
	page.on('websocket', (socket) => sockets.push(socket.url()));
	const kept = [];
	for (const data of [1, 2, 3])
		kept.push((await server.publish({ channel: 'demo.other', data })).id);
	await page.fill('#channel', 'demo.other');
	await page.selectOption('#start', '-20');
	await page.click('#follow button');
	const panes = await all(page, (each) => each.state === 'live' && each.rows.length === 3, 'the last of the other channel');
	for (const name of TRANSPORTS)
		equal(panes[name].rows.map((row) => [row.id, row.replayed]), kept.map((id) => [id, true]), `${name}: rows`);
	equal(sockets, [], 'WebSockets opened for the change');
	await server.publish({ channel: 'demo.hello', data: 'not here' });
	const { id } = await server.publish({ channel: 'demo.other', data: 'here' });
	const after = await all(page, has(id), 'the next event of the channel');
	for (const name of TRANSPORTS)
		equal(after[name].rows.map((row) => row.id), [...kept, id], `${name}: rows`);
	check(page.url().includes('#channel=demo.other&after=-20'), `the address tells: ${page.url()}`);
});

await test('console_loses_nothing_when_workers_are_killed', async (page) => {
	const resumedWith = [];
	page.on('request', async (request) => {
		if (request.resourceType() === 'eventsource')
			resumedWith.push((await request.allHeaders())['last-event-id']);
	});
	const ids = [];
	let killed;
	for (let n = 0; n < 40; n++) {
		ids.push((await server.publish({ channel: 'demo.hello', data: n })).id);
		if (n === 0)
			await all(page, has(ids[0]), 'the first event is in all panes');
		if (n === 12)
			killed = server.killWorkers().then(() => null, (error) => error.message);
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
	equal(await killed, null, 'fault of the kill');
	const panes = await all(page, (each) => each.state === 'live' && has(ids.at(-1))(each), 'the last event is in all panes');
	for (const name of TRANSPORTS)
		equal(panes[name].rows.map((row) => row.id), ids, `${name}: ids`);
	check(panes.sse.rows.some((row) => row.replayed), 'SSE: what was missed is marked');
	check(panes.ws.rows.some((row) => row.replayed), 'WebSocket: what was missed is marked');
	check(ids.includes(resumedWith.at(-1)), `the EventSource came back with Last-Event-ID: ${resumedWith}`);
	await page.screenshot({ path: join(pictures, 'killed.png') });
}, { expected: SERVER_GONE });

await test('console_is_bounded_and_complete_in_a_burst', async (page) => {
	const envelopes = Array.from({ length: 500 }, (_, n) => ({ channel: 'demo.hello', data: { n } }));
	const { ids } = await server.publish(envelopes);
	const panes = await all(page, (each) => each.count === 500, 'all events are counted');
	for (const name of TRANSPORTS) {
		equal(panes[name].rows.length + panes[name].notes.length, ROWS_MAX, `${name}: rows`);
		equal(panes[name].rows.map((row) => row.id), ids.slice(-panes[name].rows.length), `${name}: the newest stay`);
	}
});

await test('console_says_why_a_publish_is_refused', async (page) => {
	const top = () => page.locator('#panes').evaluate((panes) => panes.getBoundingClientRect().top);
	const before = await top();
	check((await publishFromPage(page, '{"cut"')).startsWith('400 bad_json'), 'bad JSON');
	await page.fill('#channel', 'news');
	await page.click('#follow button');
	await all(page, isLive, 'all panes are live on the channel');
	check((await publishFromPage(page, '1')).startsWith('403 forbidden'), 'a channel that is closed to clients');
	equal(await top(), before, 'place of the panes');
	await page.screenshot({ path: join(pictures, 'refused.png') });
}, { expected: REFUSED });

await test('console_says_why_a_subscription_is_refused', async (page) => {
	await all(page, (each) => each.state === 'cut' && each.notes.some((note) => note.level === 'bad' && note.text.includes('forbidden')), 'all panes tell');
	await page.screenshot({ path: join(pictures, 'forbidden.png') });
	await page.fill('#channel', 'demo.hello');
	await page.click('#follow button');
	await all(page, isLive, 'all panes are live on an open channel');
}, { expected: REFUSED, hash: '#channel=secret.plans', refused: true });

await test('console_says_why_a_change_of_channel_is_refused', async (page) => {
	for (const [channel, word] of [['secret.plans', 'forbidden'], ['$reserved', 'bad_channel']]) {
		await page.fill('#channel', channel);
		await page.click('#follow button');
		await all(page, (each) => each.state === 'cut' && each.notes.some((note) => note.level === 'bad' && note.text.includes(word)), `all panes tell of ${channel}`);
		await page.fill('#channel', 'demo.hello');
		await page.click('#follow button');
		await all(page, isLive, 'all panes are live on an open channel');
	}
}, { expected: REFUSED });

await test('console_works_by_keyboard', async (page) => {
	await page.focus('#channel');
	await page.keyboard.press('Control+A');
	await page.keyboard.type('demo.keys');
	await page.keyboard.press('Enter');
	await all(page, (each) => each.state === 'live' && each.rows.length === 0, 'all panes follow');
	await page.focus('#data');
	await page.keyboard.press('Enter');
	await all(page, (each) => each.rows.length === 1, 'the event is in all panes');
	await page.focus(`${pane('poll')} button`);
	await page.keyboard.press('Space');
	await until(async () => (await read(page)).poll.state === 'cut', 'the short poll is cut');
	const order = [];
	for (let i = 0; i < 4; i++) {
		await page.keyboard.press('Tab');
		order.push(await page.evaluate(() => `${document.activeElement.closest('.pane')?.dataset.transport} ${document.activeElement.tagName}`));
	}
	equal(order, ['poll OL', 'longpoll BUTTON', 'longpoll OL', 'sse BUTTON'], 'order of the focus');
});

await test('console_repeats_a_publish_each_second', async (page) => {
	await page.check('#repeat');
	await all(page, (each) => each.rows.length >= 2, 'two events are in all panes');
	await page.uncheck('#repeat');
	const { ws } = await read(page);
	equal(ws.rows.slice(0, 2).map((row) => row.data), ['{"hello":"world","n":1}', '{"hello":"world","n":2}'], 'data');
});

for (const colorScheme of ['light', 'dark'])
	await test(`console_on_a_desktop_${colorScheme}`, async (page) => {
		for (let n = 0; n < 4; n++)
			await publishFromPage(page, '{"hello":"world","n":$n}');
		const { id } = await server.publish({ channel: 'demo.hello', type: 'notice', data: 'A long text from the publish socket. '.repeat(8) });
		await all(page, has(id), 'the event is in all panes');
		const look = await page.evaluate(() => {
			const colour = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
			return { bright: Math.max(...colour), wide: document.documentElement.scrollWidth - innerWidth };
		});
		check(colorScheme === 'dark' ? look.bright < 60 : look.bright > 200, `background ${look.bright}`);
		check(look.wide <= 0, `wider than the window by ${look.wide}`);
		await page.screenshot({ path: join(pictures, `desktop-${colorScheme}.png`) });
	}, { colorScheme });

await test('console_on_a_phone', async (page) => {
	for (let n = 0; n < 3; n++)
		await publishFromPage(page, '{"hello":"world","n":$n}');
	await all(page, (each) => each.rows.length === 3, 'the events are in all panes');
	const look = await page.evaluate(() => ({
		wide: document.documentElement.scrollWidth - innerWidth,
		lefts: [...document.querySelectorAll('.pane')].map((each) => each.getBoundingClientRect().left),
		cut: [...document.querySelectorAll('.pane, .pane h2')].filter((each) => each.scrollWidth > each.clientWidth).length,
		small: [...document.querySelectorAll('button, input:not([type=checkbox]), select')].filter((each) => each.getBoundingClientRect().height < 32).length,
	}));
	check(look.wide <= 0, `wider than the window by ${look.wide}`);
	check(look.lefts.every((left) => left === look.lefts[0]), `the panes stand beside each other: ${look.lefts}`);
	equal([look.cut, look.small], [0, 0], 'panes and titles that overflow, controls too small for a finger');
	await page.screenshot({ path: join(pictures, 'phone-top.png') });
	await page.locator(pane('sse')).scrollIntoViewIfNeeded();
	await page.screenshot({ path: join(pictures, 'phone-panes.png') });
}, { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 });

await test('console_on_a_wide_screen', async (page) => {
	await publishFromPage(page, '{"hello":"world","n":$n}');
	const tops = await page.evaluate(() => [...document.querySelectorAll('.pane')].map((each) => each.getBoundingClientRect().top));
	check(tops.every((top) => top === tops[0]), `the panes stand below each other: ${tops}`);
	await page.screenshot({ path: join(pictures, 'wide.png') });
}, { viewport: { width: 1800, height: 950 } });

await tap.test('console_works_under_a_path_prefix', async (after) => {
	const other = await Server.boot({ console: true, workers: 1, path_prefix: '/push' });
	after(() => other.stop());
	for (const path of ['', '/']) {
		const page = await openPage(browser, other.url + path);
		await all(page, isLive, `all panes are live at /push${path}`);
		const id = await publishFromPage(page, '1');
		await all(page, has(id), 'the event is in all panes');
		equal(page.complaints, [], 'complaints of the page');
		await page.context().close();
	}
});

await tap.test('console_shows_a_server_that_stops_and_comes_back_in_words', async (after) => {
	const other = await Server.boot({ console: true, workers: 1 });
	const page = await openPage(browser, other.url, { expected: SERVER_GONE });
	after(() => page.context().close());
	await all(page, isLive, 'all panes are live');
	await other.stop();
	await all(page, (each) => each.state !== 'live' && each.notes.some((note) => note.level === 'bad'), 'all panes tell');
	equal(page.complaints, [], 'complaints of the page');
});

await tap.test('server_leaves_nothing', async () => {
	await browser.close();
	await server.stop();
});
tap.end();
