// origins.mjs: pages of foreign origins in Chromium: what a listed one may do and read, errors included, and how all fails for
// another; and that a page loses nothing when workers are killed under it. Names that end with .example are loopback here.

import { publishThroughKills } from '../clients/rounds.mjs';
import { Server } from '../clients/server.mjs';
import { Tap, check, equal, until } from '../clients/tap.mjs';
import { launch, openPage } from './chromium.mjs';
import { serve } from './pages.mjs';

const EXPECTED = /CORS policy|status of 4\d\d|net::ERR_|WebSocket connection to/;

const tap = new Tap();
const site = await serve();
const origin = (name) => `http://${name}.example:${site.port}`;
const server = await Server.boot({ origins: [origin('app')], retry_ms: 100 });
const anyone = await Server.boot({ workers: 1, origins: ['*'] });
const browser = await launch();

const at = ({ port }) => `http://push.example:${port}`;

// What a page can try: each answers with all that the page gets to see.
function tries(url) {
	const channels = (count) => Array.from({ length: count }, (_, i) => `channel=c${i}`).join('&');
	const get = (query, options) => async () => {
		const response = await fetch(`${url}${query}`, options);
		const { error, events } = await response.json();
		return [response.status, error?.code ?? events.map(({ data }) => data)];
	};
	const post = (query, headers, body, options) => async () => {
		const response = await fetch(`${url}/events?${query}`, { method: 'POST', headers, body, ...options });
		const { id, error } = await response.json();
		return [response.status, error?.code ?? /^\d{13}-\d{5}$/.test(id)];
	};
	const listen = (query, options) => () => new Promise((resolve) => {
		const source = new EventSource(`${url}/events?${query}`, options);
		const end = (value) => {
			source.close();
			resolve(value);
		};
		source.onmessage = ({ data }) => end(data);
		source.onerror = () => end(source.readyState === EventSource.CLOSED ? 'closed for good' : 'comes back');
	});
	const connect = (query) => () => new Promise((resolve) => {
		const socket = new WebSocket(`${url.replace('http', 'ws')}/events?${query}`);
		const end = (value) => {
			socket.onclose = null;
			socket.close();
			resolve(value);
		};
		socket.onmessage = ({ data }) => JSON.parse(data).id && end(JSON.parse(data).data);
		socket.onclose = ({ code }) => end(`closed with ${code}`);
	});
	const include = { credentials: 'include' };
	return {
		poll: get('/events?channel=kept&after=0'),
		poll_with_credentials: get('/events?channel=kept&after=0', include),
		post_without_preflight: post('channel=demo.page', { 'Content-Type': 'text/plain' }, 'x'),
		post_with_preflight: post('channel=demo.page', { 'Content-Type': 'application/json', 'Idempotency-Key': 'key' }, '{"a":1}'),
		post_with_credentials: post('channel=demo.page', { 'Content-Type': 'application/json' }, '2', include),
		post_that_is_opaque: async () => {
			const { type, status } = await fetch(`${url}/events?channel=demo.page`, { method: 'POST', mode: 'no-cors', body: 'x' });
			return [type, status];
		},
		eventsource: listen('channel=kept&after=0'),
		eventsource_with_credentials: listen('channel=kept&after=0', { withCredentials: true }),
		websocket: connect('channel=kept&after=0'),
		post_with_every_header: post('channel=demo.page', { Authorization: 'Bearer x', 'Last-Event-ID': '0', 'Content-Type': 'application/json' }, '3'),
		error_400: get('/events'),
		error_400_of_a_cursor: get('/events?channel=x&after=x'),
		error_403: get('/events?channel=secret.x'),
		error_404: get('/nothing'),
		error_405: get('/healthz', { method: 'POST', body: 'x' }),
		error_413: post('channel=demo.page', { 'Content-Type': 'text/plain' }, 'x'.repeat(300000)),
		error_415: post('channel=demo.page', { 'Content-Type': 'text/plain; charset=latin1' }, 'x'),
		error_429: get(`/events?${channels(129)}`),
		retry_after_of_429: async () => Number((await fetch(`${url}/events?${channels(129)}`)).headers.get('Retry-After')) > 0,
		date_of_429: async () => (await fetch(`${url}/events?${channels(129)}`)).headers.get('Date'),
		preflight_of_another_method: get('/events?channel=kept', { method: 'DELETE' }),
		preflight_of_another_header: get('/events?channel=kept', { headers: { 'X-Other': '1' } }),
		eventsource_on_a_closed_channel: listen('channel=secret.x'),
		eventsource_without_a_channel: listen(''),
		eventsource_with_an_address_too_long: listen(`channel=${'x'.repeat(17000)}`),
		eventsource_with_too_many_channels: listen(channels(129)),
	};
}

const FAILED = 'TypeError: Failed to fetch';
const everything = {
	poll: [200, ['there']],
	poll_with_credentials: [200, ['there']],
	post_without_preflight: [200, true],
	post_with_preflight: [200, true],
	post_with_credentials: [200, true],
	post_that_is_opaque: ['opaque', 0],
	eventsource: 'there',
	eventsource_with_credentials: 'there',
	websocket: 'there',
	post_with_every_header: [200, true],
	error_400: [400, 'no_channel'],
	error_400_of_a_cursor: [400, 'bad_after'],
	error_403: [403, 'forbidden'],
	error_404: [404, 'not_found'],
	error_405: [405, 'method_not_allowed'],
	error_413: [413, 'too_large'],
	error_415: [415, 'unsupported_type'],
	error_429: [429, 'too_many_channels'],
	retry_after_of_429: true,
	date_of_429: null,
	preflight_of_another_method: FAILED,
	preflight_of_another_header: FAILED,
	eventsource_on_a_closed_channel: 'closed for good',
	eventsource_without_a_channel: 'closed for good',
	eventsource_with_an_address_too_long: 'closed for good',
	eventsource_with_too_many_channels: 'comes back',
};
const nothing = Object.fromEntries(Object.keys(everything).map((name) => [name, name.startsWith('eventsource') ? 'closed for good' : FAILED]));

const kept = async (to, channel) => (await (await fetch(to.events({ channel, after: 0 }))).json()).events.map(({ data }) => data);

async function tryAll(who, to, from, expected) {
	const page = await openPage(browser, `${from}/`, { expected: EXPECTED });
	await page.addScriptTag({ content: `window.tries = ${tries};` });
	for (const [name, wanted] of Object.entries(expected))
		await tap.test(`${who}_${name}`, async () => {
			const got = await page.evaluate(([what, url]) => window.tries(url)[what]().catch(String), [name, to]);
			equal(got, wanted, 'what the page sees');
		});
	await tap.test(`${who}_does_not_complain_of_else`, () => equal(page.complaints, [], 'complaints'));
	await page.context().close();
}

for (const to of [server, anyone])
	await to.publish({ channel: 'kept', data: 'there' });

await tryAll('origin_that_is_not_listed', at(server), origin('evil'), { ...nothing, post_that_is_opaque: ['opaque', 0], websocket: 'closed with 1006' });
await tap.test('origin_that_is_not_listed_has_published_nothing', async () => equal(await kept(server, 'demo.page'), [], 'kept'));

await tryAll('origin_that_is_listed', at(server), origin('app'), everything);
await tap.test('origin_that_is_listed_has_published', async () => equal(await kept(server, 'demo.page'), ['x', { a: 1 }, 2, 'x', 3], 'kept'));

// Only listed origins may send credentials.
const withoutCredentials = {
	...everything,
	poll_with_credentials: FAILED,
	post_with_credentials: FAILED,
	eventsource_with_credentials: 'closed for good',
};
await tryAll('any_origin', at(anyone), origin('evil'), withoutCredentials);
await tryAll('loopback_pair', server.url, `http://localhost:${site.port}`, withoutCredentials);

await tap.test('sandboxed_frame_has_no_origin_and_gets_nothing', async (after) => {
	const page = await openPage(browser, `${origin('app')}/`, { expected: EXPECTED });
	after(() => page.context().close());
	await page.evaluate(() => {
		const frame = Object.assign(document.createElement('iframe'), { sandbox: 'allow-scripts', srcdoc: '<!doctype html>' });
		return new Promise((resolve) => {
			frame.onload = resolve;
			document.body.append(frame);
		});
	});
	const frame = page.frames()[1];
	for (const [name, wanted] of [['poll', FAILED], ['post_without_preflight', FAILED], ['eventsource', 'closed for good'], ['websocket', 'closed with 1006']])
		equal(await frame.evaluate(([what, url, code]) => (0, eval)(`(${code})`)(url)[what]().catch(String), [name, at(server), String(tries)]), wanted, name);
});

await tap.test('page_loses_nothing_when_workers_are_killed', async (after) => {
	const page = await openPage(browser, `${origin('app')}/`, { expected: EXPECTED });
	after(() => page.context().close());
	await page.evaluate(async (url) => {
		const { followAll } = await import('/follow.mjs');
		const kit = { polls: true, fetch: (...args) => fetch(...args), webSocket: (...args) => new WebSocket(...args), eventSource: (of) => new EventSource(of) };
		window.followers = followAll(kit, url, 'killed');
	}, at(server));
	const read = () => page.evaluate(() => Object.entries(window.followers).map(([way, { stop, close, ...state }]) => [way, state]));
	await until(async () => (await read()).every(([, { begun }]) => begun), 'all have begun');
	const reached = (id) =>
		until(async () => (await read()).every(([, { error, ids: got }]) => error !== null || got.at(-1) >= id), `event ${id}`);
	const ids = await publishThroughKills(server, 'killed', reached);
	await reached(ids.at(-1));
	for (const [way, follower] of await read()) {
		equal([follower.error, follower.gaps], [null, 0], `${way}: error and gaps`);
		equal(follower.ids, ids, `${way}: ids`);
		// Chromium asks again by itself when a kept connection was cut before its answer: the page may never know.
		check(follower.ends >= 2 || way === 'longpoll', `${way}: ${follower.ends} ends of connections`);
	}
}, 40000);

await tap.test('servers_leave_nothing', async () => {
	await browser.close();
	site.close();
	await server.stop();
	await anyone.stop();
});
tap.end();
