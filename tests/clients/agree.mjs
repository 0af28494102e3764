// agree.mjs: clients that others wrote exchange the same two hundred payloads with the server, bit for bit, both ways, over every
// transport that they speak: npm's ws with every kind of compression, undici, npm's eventsource. One line for each.

import net from 'node:net';
import { EventSource } from 'eventsource';
import * as undici from 'undici';
import WebSocket from 'ws';
import { collect, judge, member, publishAll, read, receive, waysOf } from './exchange.mjs';
import { COUNT, lines } from './payloads.mjs';
import { channelNames, publishPayloads, report } from './rounds.mjs';
import { Server } from './server.mjs';
import { Tap, check, equal } from './tap.mjs';

const tap = new Tap({ script_ms: 280000 });
const payloads = read(lines());
equal(payloads.length, COUNT, 'payloads');

// npm's ws, which offers what `perMessageDeflate` says. Its connections are kept with their address, and what the server answered.
function ws(name, perMessageDeflate, answer) {
	const kit = { name, fetch, answer, answered: [], connections: [] };
	kit.webSocket = (url, protocols) => {
		const createConnection = (options) => {
			const connection = net.connect({ ...options, path: options.socketPath }); // its path is the request's, no socket's
			kit.connections.push({ url, protocol: protocols[0], connection });
			return connection;
		};
		const socket = new WebSocket(url, protocols, { perMessageDeflate, createConnection });
		socket.on('upgrade', ({ headers }) => kit.answered.push(headers['sec-websocket-extensions'] ?? ''));
		return socket;
	};
	return kit;
}

// What it read on the stream of kept objects, and what it wrote to publish by op.
function bytesOf(kit) {
	const find = (wanted) => kit.connections.find(({ url, protocol }) => protocol === 'ringcast.v1' && wanted(url)).connection;
	return { read: find((url) => url.includes('after=0')).bytesRead, written: find((url) => url.endsWith('?')).bytesWritten };
}

const SERVER_FORGETS = 'permessage-deflate; server_no_context_takeover';
const BOTH_FORGET = `${SERVER_FORGETS}; client_no_context_takeover`;

const undiciKit = {
	name: 'undici',
	fetch: undici.fetch,
	polls: true,
	webSocket: (url, protocols) => (undiciKit.socket = new undici.WebSocket(url, protocols)),
	eventSource: (url) => new undici.EventSource(url),
	// It decodes a text message with a TextDecoder, which takes a byte order mark at its beginning for no part of it.
	sees: (form, payload) => (form === 'raw' && payload.kind === 'text' ? { ...payload, text: payload.text.replace(/^\ufeff/, '') } : payload),
};

// The receivers of all kits at once, live; then of each what is kept; then each publishes.
async function exchangeAll(server, kits) {
	const nameChannel = channelNames();
	const channel = nameChannel();
	const live = kits.flatMap((kit) => waysOf(kit).map((way) => receive(kit, way, server.url, channel)));
	await Promise.all(live.map((receiver) => receiver.ready));
	const ids = await publishPayloads(server, channel, payloads);
	for (const receiver of live)
		report(tap, await collect(receiver, channel, payloads, ids));
	for (const kit of kits) {
		const replayed = waysOf(kit).map((way) => receive(kit, way, server.url, channel, 0));
		for (const receiver of replayed)
			report(tap, await collect(receiver, channel, payloads, ids));
		for (const judgement of await publishAll(kit, server.url, payloads, nameChannel))
			report(tap, judgement);
	}
	return channel;
}

// The judge must be able to say no: one payload is altered, or does not come, or one too many comes.
await tap.test('judge_finds_what_is_altered', () => {
	const few = payloads.filter((payload, i) => i % 9 === 5 && payload.bytes.length < 5000);
	const event = { id: '1763856000000-00000', channel: 'demo.001' };
	const came = {
		object: (payload) => ({ text: `{"id":"${event.id}","channel":"demo.001","type":"message",${member(payload)}}` }),
		streamed: (payload) => ({ id: event.id, text: came.object(payload).text.replace(/\r\n?/g, '\n') }),
		sse: (payload) => ({ id: event.id, text: payload.kind === 'binary' ? payload.base64 : payload.text.replace(/\r\n?/g, '\n') }),
		raw: (payload) => (payload.kind === 'binary' ? { bytes: payload.bytes } : { text: payload.text }),
	};
	const replaced = (items, at, item) => items.map((old, i) => (i === at ? item : old));
	const altered = (item) => (item.bytes ? { bytes: Uint8Array.from([...item.bytes, 0]) } : { ...item, text: item.text.replace(/(.*)(.)/s, '$1\x01$2') });
	for (const [form, itemOf] of Object.entries(came)) {
		const expected = few.map((payload) => ({ payload, ...event }));
		const items = few.map(itemOf);
		const said = (list) => {
			const { agreed, first } = judge('judge', form, list, expected);
			return [agreed, first?.split(':')[0] ?? null];
		};
		equal(said(items), [few.length, null], `${form}: all as it was`);
		equal(said(items.slice(0, -1)), [few.length - 1, few.at(-1).name], `${form}: one less`);
		equal(said([...items, items[0]]), [few.length, '1 more came'], `${form}: one more`);
		for (const i of few.keys()) {
			const fault = judge('judge', form, replaced(items, i, altered(items[i])), expected);
			equal([fault.agreed, fault.first?.startsWith(few[i].name)], [few.length - 1, true], `${form}: ${few[i].name} altered`);
		}
		if (form === 'sse' || form === 'streamed')
			equal(said(replaced(items, 1, { ...items[1], id: '1763856000000-00001' }))[0], few.length - 1, `${form}: another id`);
	}
});

async function negotiated(kits) {
	for (const kit of kits)
		await tap.test(`${kit.name}_negotiates`, () => equal([...new Set(kit.answered)], [kit.answer], 'answers'));
}

/* Without takeover, which is the default: each message is compressed by itself. */

const server = await Server.boot({ ring_bytes: '256MiB' });
const plain = ws('ws_plain', false, '');
const deflate = ws('ws_deflate', { threshold: 0 }, BOTH_FORGET);
const smallWindow = ws('ws_deflate_small_window_of_the_server', { threshold: 0, serverMaxWindowBits: 10 }, `${BOTH_FORGET}; server_max_window_bits=10`);
const forgetful = [
	ws('ws_deflate_client_forgets', { threshold: 0, clientNoContextTakeover: true }, BOTH_FORGET),
	ws('ws_deflate_server_forgets', { threshold: 0, serverNoContextTakeover: true }, BOTH_FORGET),
	ws('ws_deflate_both_forget', { threshold: 0, clientNoContextTakeover: true, serverNoContextTakeover: true }, BOTH_FORGET),
];
await exchangeAll(server, [plain, deflate, smallWindow, ...forgetful, undiciKit,
	{ name: 'eventsource', fetch, eventSource: (url) => new EventSource(url) }]);
await negotiated([plain, deflate, smallWindow, ...forgetful]);
await tap.test('undici_negotiates', () => equal(undiciKit.socket.extensions.split(';')[0], 'permessage-deflate', 'extensions'));
await tap.test('ws_without_compression_reads_more', () => {
	const most = bytesOf(plain).read;
	for (const kit of [deflate, ...forgetful])
		check(bytesOf(kit).read < 0.7 * most, `${kit.name} read ${bytesOf(kit).read} of ${most}`);
	// Who insists on a small window gets messages that are not compressed.
	check(bytesOf(smallWindow).read > 0.98 * most, `${smallWindow.name} read ${bytesOf(smallWindow).read} of ${most}`);
});
await tap.test('ws_without_compression_writes_more', () => {
	const most = bytesOf(plain).written;
	for (const kit of [deflate, smallWindow, ...forgetful])
		check(bytesOf(kit).written < 0.7 * most, `${kit.name} wrote ${bytesOf(kit).written} of ${most}`);
});
await tap.test('server_leaves_nothing', () => server.stop());

/* With takeover: what a client sends may refer to what it sent before. */

const keeping = await Server.boot({ ring_bytes: '256MiB', compression: { takeover_bytes: '16MiB', min_bytes: 0 } });
const takeover = ws('ws_takeover', { threshold: 0 }, SERVER_FORGETS);
const takeoverSmall = ws('ws_takeover_small_window_of_the_client', { threshold: 0, clientMaxWindowBits: 10 }, `${SERVER_FORGETS}; client_max_window_bits=10`);
const declined = ws('ws_takeover_declined_by_the_client', { threshold: 0, clientNoContextTakeover: true }, BOTH_FORGET);
await exchangeAll(keeping, [takeover, takeoverSmall, declined]);
await negotiated([takeover, takeoverSmall, declined]);
await tap.test('ws_with_takeover_writes_less', () => {
	const [less, more] = [bytesOf(takeover).written, bytesOf(declined).written];
	check(less < more, `wrote ${less} with takeover, ${more} without`);
});
await tap.test('server_leaves_nothing', () => keeping.stop());
tap.end();
